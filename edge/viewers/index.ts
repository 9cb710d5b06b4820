// How far an edge's viewers are, in time. Each connection tells the round trip that the kernel has measured (TCP_INFO);
// browsers that run the script tell what they measured to all edges.
//
//   network (/24, /48) x edge -> 32 places, one for each of its addresses by a hash: the last sample and when -> a median in
//   which each counts once and less as it ages. Fixed memory: what is not worth telling gives way.
//
// The daemon fetches what has changed. Special-use networks count only where the operator says so. It must never know where
// a viewer is, nor what is done with the figures.
export { LONGEST_REPORT } from './reports.ts'
export { BEACON } from './script.ts'
export { makeViewers, type MeasuredRow, type Viewers } from './viewers.ts'
