// The sockets of the DNS server and the threads that serve them. Each UDP thread sits in a loop of batched system calls,
// or in an event loop where those are missing; TCP has a thread of its own. A thread answers through its own responder,
// from an immutable world that the main thread replaces for all of them at once. What a responder does not answer in place
// goes down a lane to the exchange thread, which nobody waits for; its replies leave from the socket that was asked.
// Octets in, octets out: knows no DNS beyond the framing of TCP, no zone, and no policy.
export type { Handed, Reply, Return, ToExchange } from './lane.ts'
export { makeSender, type Send } from './sender.ts'
export { startServing, threadPlans, type ServeOptions, type Serving } from './serving.ts'
export { loadSystem } from './system.ts'
export type { Lane, Reports, Responder, ResponderModule, Source, TcpLimits, Traffic } from './types.ts'
