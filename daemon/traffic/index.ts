// Who goes where, and how many they are: what each policy comes to for the viewers of each country, before and after a change.
//
//   weighViewers  places -> cells of (place, country, addresses)     survey   policy x cells x health -> shares by country
//   compare       two surveys -> who moves from where to where       judgeDrain  loads, capacities and moves -> may it be drained
//
// All of it is asked for by people, none of it by queries, and most of it takes long enough to be done on a thread of its own
// (traffic-thread.ts). Shares are from 0 to 1. Knows no socket and no file but those of store.ts.
export { makeAffected, type Affected } from './affected.ts'
export { askedByPolicy, spread, sumOf, type Asked, type AskedOfPolicy } from './asked.ts'
export { assumeHealth, type Assumed } from './assume.ts'
export { compare, type CountryMove, type PolicyChange, type Side } from './compare.ts'
export { judgeDrain, type DrainReply, type Load } from './drain.ts'
export { movesBetween, type Move } from './moves.ts'
export { answerQuestion, type Answer, type Question, type Trouble, type WhereCountry, type WhereReply } from './questions.ts'
export { survey, type Survey } from './survey.ts'
export { makeSurveyor } from './surveyor.ts'
export { weighViewers, type Viewers } from './viewers.ts'
export { isSame, planChange, type Plan, type PlannedPolicy } from './plan.ts'
export { startCounting, type Counting } from './counting.ts'
export { withAliases } from './names.ts'
