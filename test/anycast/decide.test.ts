import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { parseDuration } from '../../core/quantity.ts'
import { decide, holdOf, noHistory, type Situation } from '../../daemon/anycast/decide.ts'
import type { Announcement, Finding, Lease, Pin, PrefixHistory, Rules } from '../../daemon/anycast/types.ts'
import { root } from '../repo/sources.ts'

const RULES: Rules = { pop: 'fra', total: 3, quorum: 2, minPops: 1, maxWithdrawn: 1, demoteMs: 500, holdMs: 10_000, longestHoldMs: 60_000, decayMs: 600_000, drainMs: 10_000, settleMs: 5000 }

t.test('announcements over time are as the cases say', async (t) => {
  const blocks = readFileSync(`${root}/test/cases/anycast/announcements.case`, 'utf8').split('\n\n').filter((block) => !block.startsWith('#'))
  t.ok(blocks.length >= 14)
  for (const block of blocks) {
    const [title = '', ...lines] = block.trim().split('\n')
    let history = noHistory(0)
    let pin: Pin | undefined
    for (const line of lines) {
      const match = /^(\S+)\s+(unknown|good|poor|bad) ?(.*?)\s{2,}(.+?)(?: \| (\w+)( force)?)?\s+-> (\w+)(?: \((.*)\))?$/.exec(line)
      if (match === null) throw new Error(`not a line of a case: ${line}`)
      const [, time = '', grade, why = '', others = '', pinned, force, expected, reason] = match
      const now = parseDuration(time)!
      pin = pinned === undefined ? undefined : { state: pinned as Pin['state'], why: 'test', since: pin?.state === pinned ? pin.since : now, isForced: force !== undefined }
      const leases = others === 'nobody' ? [] : others.split(', ').map(leaseOf)
      const decided = decide({ finding: { grade: grade as Finding['grade'], why: why === '' ? [] : [why] }, leases, heard: leases.length + 1, pin, history, now }, RULES)
      history = decided.history
      t.equal(decided.intent.state, expected, `${title}: ${line}`)
      const told = [...decided.intent.reasons, ...decided.intent.alarms, decided.intent.isSettled ? 'settled' : ''].join('; ')
      if (reason !== undefined) t.ok(told.includes(reason), `${title}: ${line}: ${told}`)
    }
  }
})

function leaseOf(text: string): Lease {
  const [pop = '', state, ...marks] = text.split(' ')
  return { pop, state: state as Announcement, isWell: !marks.includes('unwell') && state !== 'withdrawn', isLeaving: marks.includes('leaving') }
}

const announcement = fc.constantFrom<Announcement>('announced', 'demoted', 'withdrawn')
const anyGrade = fc.constantFrom<Finding['grade']>('unknown', 'good', 'poor', 'bad')
const lease = (pop: string): fc.Arbitrary<Lease> => fc.record({ pop: fc.constant(pop), state: announcement, isWell: fc.boolean(), isLeaving: fc.boolean() })
const rules = fc.record({ minPops: fc.nat(3), maxWithdrawn: fc.integer({ min: 0, max: 4 }), quorum: fc.integer({ min: 1, max: 4 }), demoteMs: fc.integer({ min: 0, max: 2000 }), holdMs: fc.integer({ min: 0, max: 30_000 }) }).map((some): Rules => ({ ...RULES, total: 4, longestHoldMs: 60_000, ...some }))
const NOW = 10_000_000
const before = fc.option(fc.integer({ min: 0, max: 2_000_000 }).map((age) => NOW - age), { nil: undefined })
const history: fc.Arbitrary<PrefixHistory> = fc.record({ state: announcement, since: fc.integer({ min: 0, max: 2_000_000 }).map((age) => NOW - age), badSince: before, wellSince: before, servesSince: before, flaps: fc.nat(40), flappedAt: before, hasFallen: fc.boolean() })
const pinOf: fc.Arbitrary<Pin | undefined> = fc.option(fc.record({ state: fc.constantFrom<Pin['state']>('announced', 'demoted', 'withdrawn', 'drain'), why: fc.constant('test'), since: fc.integer({ min: 0, max: 60_000 }).map((age) => NOW - age), isForced: fc.boolean() }), { nil: undefined })
const situation = fc.record({ grade: anyGrade, leases: fc.tuple(lease('a'), lease('m'), lease('z')), heard: fc.nat(3), pin: pinOf, history }).map(({ grade, leases, heard, pin, history }): Situation => ({ finding: { grade, why: grade === 'good' ? [] : ['why'] }, leases: leases.slice(0, heard), heard: heard + 1, pin, history, now: NOW }))

t.test('whatever was and is said, the rules hold', async (t) => {
  fc.assert(fc.property(situation, rules, (situation, rules) => {
    const { intent, history } = decide(situation, rules)
    const { finding, leases, heard, pin, history: was } = situation
    const isNew = intent.state === 'withdrawn' && was.state !== 'withdrawn'
    const text = JSON.stringify({ situation, rules, intent })
    const hold = (holds: boolean, rule: string): void => {
      if (!holds) throw new Error(`${rule}: ${text}`)
    }
    hold(!isNew || finding.grade === 'bad' || pin !== undefined, 'only what is found here withdraws')
    hold(!isNew || was.state === 'demoted' || pin?.isForced === true, 'it is demoted before')
    hold(!isNew || pin?.isForced === true || heard >= rules.quorum, 'never without a quorum')
    hold(!isNew || pin?.isForced === true || leases.filter(({ state, isWell }) => state !== 'withdrawn' && isWell).length >= rules.minPops, 'never below min-pops')
    hold(!isNew || pin?.isForced === true || leases.filter(({ state }) => state === 'withdrawn').length + (rules.total - heard) + 1 <= rules.maxWithdrawn, 'never more than max-withdrawn')
    hold(intent.state === 'withdrawn' || finding.grade !== 'bad' || intent.state === 'demoted' || pin?.state === 'announced', 'what does not serve is not announced as if it did')
    hold(finding.grade !== 'unknown' || pin !== undefined || intent.state === was.state, 'as long as nothing is known all stays')
    const serving = leases.filter(({ state, isWell, isLeaving }) => state !== 'withdrawn' && isWell && !isLeaving).length
    const isBack = was.state === 'withdrawn' && intent.state !== 'withdrawn' && pin === undefined && was.hasFallen && serving >= rules.minPops
    hold(!isBack || finding.grade === 'unknown' || NOW - ((intent.state === 'announced' ? was.wellSince : was.servesSince) ?? NOW) >= Math.min(rules.holdMs, rules.longestHoldMs), 'never back before the hold')
    hold(intent.reasons.length > 0, 'there is a reason')
    hold(history.flaps <= was.flaps + 1 && JSON.stringify(decide(situation, rules)) === JSON.stringify({ intent, history }), 'the same again')
  }), { numRuns: 5000 })
  for (const flaps of [0, 1, 2, 3, 10, 1e6]) t.ok(holdOf(flaps, RULES) <= RULES.longestHoldMs && holdOf(flaps, RULES) >= RULES.holdMs && holdOf(flaps, RULES) <= holdOf(flaps + 1, RULES))
  t.equal(holdOf(3, RULES), 4 * RULES.holdMs)
})

// A whole fleet: PoPs that fail and recover by chance and are drained, held up for seconds, with messages that take seconds and overtake each other.
const STEP_MS = 100
const LENGTH = 140

interface Said {
  readonly version: number
  readonly lease: Lease
}
interface Message extends Said {
  readonly from: number
  readonly to: number
  readonly at: number
  /** Up to which version the sender had what the receiver said. */
  readonly have: number
}

t.test('no fleet ever withdraws its last PoPs, or too many at once, however long messages take', async (t) => {
  const change = fc.record({ at: fc.oneof(fc.nat(8), fc.nat(LENGTH)), pop: fc.nat(4), to: fc.constantFrom<Finding['grade'] | 'drain' | 'undrain' | 'stopped'>('good', 'bad', 'bad', 'bad', 'poor', 'drain', 'undrain', 'stopped') })
  const fleet = fc.record({ size: fc.integer({ min: 2, max: 5 }), minPops: fc.nat(3), maxWithdrawn: fc.integer({ min: 1, max: 4 }), longest: fc.constantFrom(1, 2, 10, 40), changes: fc.array(change, { maxLength: 24 }), seed: fc.array(fc.nat(1000), { minLength: 64, maxLength: 64 }) })
  let left = 0
  fc.assert(fc.property(fleet, ({ size, minPops, maxWithdrawn, longest, changes, seed }) => {
    const rules = (pop: number): Rules => ({ ...RULES, pop: `p${pop}`, total: size, quorum: Math.ceil(size / 2), minPops, maxWithdrawn, holdMs: 1000, drainMs: 1000, longestHoldMs: 4000 })
    const pops = Array.from({ length: size }, (_, pop) => {
      const said: Said = { version: 1, lease: { pop: `p${pop}`, state: 'announced', isWell: true, isLeaving: false } }
      return {
        grade: 'good' as Finding['grade'], pin: undefined as Pin | undefined, history: { ...noHistory(0), state: 'announced' } as PrefixHistory, stoppedUntil: 0, said,
        /** Of each other: what is here of it, the latest version that it has told of, and up to which it has acknowledged. */
        others: Array.from({ length: size }, (_, other) => ({ have: { version: 1, lease: { ...said.lease, pop: `p${other}` } } as Said, latest: 1, acked: 1 }))
      }
    })
    let under: Message[] = []
    for (let step = 0; step < LENGTH; step++) {
      const now = 1000 + step * STEP_MS
      for (const { at, pop, to } of changes) {
        const one = pops[pop]
        if (at !== step || one === undefined) continue
        if (to === 'drain') one.pin = { state: 'drain', why: 'test', since: now }
        else if (to === 'undrain') one.pin = undefined
        else if (to === 'stopped') one.stoppedUntil = step + 50
        else one.grade = to
      }
      const isThere = ({ at, to }: Message): boolean => at <= step && pops[to]!.stoppedUntil <= step
      for (const { from, to, version, lease, have } of under.filter(isThere)) {
        const other = pops[to]!.others[from]!
        if (version > other.have.version) other.have = { version, lease }
        other.latest = Math.max(other.latest, version)
        other.acked = Math.max(other.acked, have)
      }
      under = under.filter((message) => !isThere(message))
      for (const [index, one] of pops.entries()) {
        if (one.stoppedUntil > step) continue
        const others = one.others.filter((_, other) => other !== index)
        const unaware = new Set(others.filter(({ have, latest, acked }) => !one.said.lease.isLeaving || acked < one.said.version || have.version < latest).map(({ have }) => have.lease.pop))
        const decided = decide({ finding: { grade: one.grade, why: [one.grade] }, leases: others.map(({ have }) => have.lease), heard: size, unaware, pin: one.pin, history: one.history, now }, rules(index))
        if (decided.intent.state === 'withdrawn' && one.history.state !== 'withdrawn') left++
        one.history = decided.history
        const { state, isWell, isLeaving } = decided.intent
        const { lease, version } = one.said
        if (lease.state !== state || lease.isWell !== isWell || lease.isLeaving !== isLeaving) one.said = { version: version + 1, lease: { pop: lease.pop, state, isWell, isLeaving } }
        for (let to = 0; to < size; to++) if (to !== index) under.push({ ...one.said, from: index, to, have: one.others[to]!.have.version, at: step + 1 + (seed[(index * 7 + to * 3 + step) % 64]! % longest) })
      }
      const withdrawn = pops.filter((one) => one.history.state === 'withdrawn').length
      if (withdrawn > 0 && size - withdrawn < minPops) throw new Error(`step ${step}: ${size - withdrawn} of ${size} left, min-pops ${minPops}`)
      if (withdrawn > maxWithdrawn) throw new Error(`step ${step}: ${withdrawn} withdrawn, max-withdrawn ${maxWithdrawn}`)
    }
  }), { numRuns: 400, endOnFailure: true })
  t.ok(left > 50, `in 400 fleets, ${left} withdrawals`)
})
