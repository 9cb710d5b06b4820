// The daemon's live state and whoever changes it: health of the members, forced states, reloads, and the admin API through
// which the command line sees and steers all of it. Runs on the daemon's main thread; no query waits for anything here:
// what queries read is the shared health table and the world, which this room writes.
export { startAdmin, type Admin, type AdminOptions } from './admin.ts'
export type { DaemonStatus, Explanation, MemberStatus, ReloadReply, Status, ZoneStatus } from './api.ts'
export { CookieSecrets, type CookieSecretsOptions } from './cookie-secrets.ts'
export { tellPoints } from './explain-points.ts'
export { explainName, type Ask, type ExplainQuestion } from './explain.ts'
export { makeFleetRequests, type FleetRequests } from './admin-fleet.ts'
export { startHealth, type Health, type HealthOptions } from './health.ts'
export { flushFolder, type FlushFolderOptions } from './flush-folder.ts'
export { startLatencies, type Latencies } from './latencies.ts'
export { edgeTargets, Loader, type LoaderOptions, type LoaderSetup } from './loader.ts'
export { bringNetworks } from './loader-networks.ts'
export { bringPlaces, hasAsDatabase } from './loader-places.ts'
export type { ChangedBy, ChangeReply } from './loader-changes.ts'
export { PopKeys, type PopKeysOptions } from './pop-keys.ts'
export type { FreshZone, ZoneOver } from './loader-over.ts'
export { TsigKeyFiles, type TsigKeyFilesOptions } from './tsig-key-files.ts'
