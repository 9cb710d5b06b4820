// The caching worker of the CDN: one program for edges, regionals and shields; its role decides who may ask and who is asked.
//
// http/ speaks HTTP/1.1, cache/ is the law and the store, tiers/ says who stands above; serve.ts is the life of a request
// and flight.ts that of a fetch. startWorker makes one worker listen, and is told everything by its Setup.
//
// It must never know of DNS, health checks or the supervisor: it meets the daemon on the network only.
export { startCrew, type RunningCrew } from './crew/index.ts'
export { openCountries } from './country.ts'
export { removeOldFolders } from './folders.ts'
export { explainRequest, readRequest, type Explained } from './explain.ts'
export { canSharePort } from './http/index.ts'
export type { RunningWorker } from './running.ts'
export { startWorker } from './start.ts'
