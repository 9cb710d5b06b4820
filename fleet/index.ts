// The supervisor: brings up the DNS daemon and the workers of a configuration, each a process of its own, watches their
// heartbeats and starts again what ends. It chooses the ports, keeps the state folder to itself with a lock, and tells the
// daemon about every member (`Member` of core/channel.ts) at each change and once a second.
//
//   startFleet(options) -> Fleet | why not, in one line
//
// It must never know DNS, HTTP or the admin API: it is neither the daemon nor a worker, and serves nobody.
export { startFleet, type Fleet, type FleetOptions } from './start.ts'
export { readFleetFile, type FleetFile } from './state-folder.ts'
export { isAlive, takeLock } from './lock.ts'
export type { PortWishes } from './ports.ts'
