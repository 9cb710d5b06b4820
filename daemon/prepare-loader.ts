import { EarlyThread } from '../core/early-thread.ts'

/** The loader's thread, begun before there is a configuration for it: it reads of the zones what it can. Nothing else comes with this file. */
export function prepareLoader(zones: { readonly path: string; readonly label: string }): EarlyThread {
  return new EarlyThread(new URL('./control/loader-thread.js', import.meta.url), 'dns loader', [], zones)
}
