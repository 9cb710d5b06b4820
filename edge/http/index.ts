// HTTP/1.1 and HTTP/2 (frames and HPACK of our own) on sockets, towards clients and (HTTP/1.1) towards parents and origins.
//
// HttpServer listens on node:net or node:tls, parses strictly (RFC 9112) and calls a Handler with a RequestHead and the
// Connection, which is where the answer goes: `whole` in one go, or `open`, `write`, `finish`. Heads are those of HTTP/1.1
// for either version. UpstreamClient sends a request and tells a Receiver how it goes.
//
// It must never know what is cached, who the parents are, or what a distribution is.
export type { BodySink } from './body.ts'
export type { Connection, Framing, Handler, Watcher } from './reply.ts'
export { fieldName, type FieldName } from './grammar.ts'
export { RequestParser, type ParserLimits } from './parser.ts'
export { mayHaveField, requestField, requestFields, type Refusal, type RequestHead } from './request.ts'
export type { Seats } from './seats.ts'
export { HttpServer, type Listening, type ServerLimits } from './server.ts'
export { canSharePort } from './shared-port.ts'
export { hostOf } from './target.ts'
export type { Fetching, Receiver, Server, UpstreamRequest, UpstreamTrouble } from './fetching.ts'
export { UpstreamClient } from './upstream.ts'
