// Bodies that lie in files of memory (memfd_create), from whose pages Linux sends them to a socket without a copy (vmsplice, splice).
//
// A file holds one body. It is written once, sealed against every change, and never written again: pages of it that wait in the
// send queue of a slow client hold what they held when they were sent, even after the body has left the cache and its file is
// closed. To all others a body is a Buffer over the same memory; the file goes when that Buffer is collected, and so not before the
// last one who reads it is done. Where koffi or Linux is missing, bodies are Buffers and are written.
//
// It must never know what a body is of, nor when it may be answered.
export { addressOf, bodyFileOf, fileOf, joined, makeBodies, mostFiles, octetsOf, reclaimBodies, roomForBodies, type Bodies, type BodyFile } from './bodies.ts'
export { senderOfThread } from './sender.ts'
