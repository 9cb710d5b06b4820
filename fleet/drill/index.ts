// Rehearses failures under load and tells what clients saw of them.
//
// Clients ask DNS over UDP with the subnet of a place, believe each answer for its TTL, and send a request to the address
// they got; an onlooker asks afresh all the time. A tally of what came back, and when, becomes a report that is held against
// limits. A scenario in a file says who is struck, how, and what may come of it.
//
// It knows the fleet as its users do, by DNS and HTTP, and through a control that is handed in; it never knows how a member
// is stopped, what the daemon decides by, or who reads the report.
export { makeAsker, type Asker } from './asker.ts'
export { defaultLimits, LIMITS, type Limits } from './limits.ts'
export type { Viewpoint } from './load.ts'
export { takeLock, type Lock } from './lock.ts'
export { PLACES } from './places.ts'
export { formatReport, type Report } from './report.ts'
export { runDrill, type Control, type DrillOptions, type MemberSeen, type Progress } from './run.ts'
export { BLOWS, type Blow } from './blow.ts'
export { DEFAULT_LOAD, readScenario, strikable, type Scenario } from './scenario.ts'
export { scout, type Scouted } from './scout.ts'
