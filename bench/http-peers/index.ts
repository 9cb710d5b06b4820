// The caching servers that are measured beside ours, each as its own manual would have it run: one file each with its configuration,
// all with one worker, the same origin and certificate, and room for all they are asked. To add one, write its file and a row here.
// Knows how to start and stop them; nothing of what they are asked.
import { nearcast } from './nearcast.ts'
import { nginx } from './nginx.ts'
import { trafficServer } from './traffic-server.ts'
import type { HttpPeer } from './types.ts'
import { varnish } from './varnish.ts'

export { HOST, PARENT_PORTS, TLS_PORTS, type HttpPeer, type Place, type Running } from './types.ts'
export { burstFloor } from './burst-floor.ts'
export { startWorker } from './nearcast.ts'

/** Ours first. */
export const httpPeers: readonly HttpPeer[] = [nearcast, nginx, varnish, trafficServer]
