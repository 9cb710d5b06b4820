// Which of several right answers a client gets. policies.yaml is compiled to nodes, one verb each; for a place a policy
// comes to an Order of candidates, and choose.ts, the one place that knows health, makes a Choice of it.
//
//   readPolicies  text -> image, or every fault of it with its line        openRouting  image -> Routing, one per thread
//
// A verb is one file and one row of verbs.ts, and orders without looking at health. Places that no test and no ranking of
// a policy tells apart are one class, so that an answer is prepared once per class. Knows no packet, no zone, no socket.
export type { ClassLimits } from './classes.ts'
export { addressKey, keyLength, subnetKey } from './client-key.ts'
export { estimateMs, greatCircle } from './distance.ts'
export { drawFor, goesByClient, mix, type Draw } from './draw.ts'
export { openRouting } from './open.ts'
export type { Drawer, DrawTold } from './tell-draw.ts'
export type { NetworkOptions } from './collections.ts'
export { NO_PLAN, type NetworkPlan } from './networks.ts'
export { readPolicies, type ReadPolicies } from './read.ts'
export type { Alternative, Candidate, Choice, Explanation, Family, Routing, RoutingImage, Step, Target } from './types.ts'
export { checkedName } from './target-name.ts'
export type { Branch, Policies } from './tree.ts'
export { VERBS } from './verbs.ts'
