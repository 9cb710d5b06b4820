// What a server needs of this room that has no fleet, no health and no admin API: it starts without what those load.
export { CookieSecrets } from './cookie-secrets.ts'
export type { Past } from './explain-past.ts'
export { Loader, type LoaderSetup } from './loader.ts'
export { TsigKeyFiles } from './tsig-key-files.ts'
