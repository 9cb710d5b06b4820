import { ascending, type Balance } from './types.ts'

/** The one whose answers should come soonest: what they took of late, times those that wait already (peak EWMA). Who is not known yet is tried. */
export const responseTime: Balance = (members) => (_sought, now) => ascending(members.length, (member) => members[member]!.expected(now) * (members[member]!.underWay() + 1) + members[member]!.underWay() * 1e-9)
