import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import type { OwnView, Plan, Verdict } from '../../healthchecks/index.ts'
import type { Channel } from './channel.ts'
import { decide, hold, needed, type Council, type Decision, type Point, type Rules } from './decide.ts'
import { keyOfTarget, readSight, writeSight, type Sight } from './sight.ts'
import { describeDecision, describeLoss, type PopStatus, type PopsStatus } from './tell.ts'

/** A target, and everything that is asked of it: what is compared is what has the same name and the same check here and there. */
export interface Watched {
  readonly name: string
  readonly plan: Plan
}

export interface VantageOptions {
  readonly name: string
  readonly channel: Pick<Channel, 'put' | 'heard' | 'view' | 'whenChanged' | 'close'>
  readonly rules: Rules
  /** Who runs a target: a PoP; `each` one has its own, so that there is nothing to compare; undefined: nobody of ours. */
  runnerOf(name: string): string | 'each' | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** A target of ours that is compared. */
interface Own {
  readonly key: string
  readonly plan: Plan
  /** It was told to be gone and has not been found up since. */
  isGone: boolean
  last?: Verdict
  decision?: Decision
  note?: string | undefined
}

/** What was decided last by votes. */
export interface Decided {
  readonly key: string
  readonly name: string
  readonly verdict: Verdict
}

/** From our own verdicts and those of other PoPs to what answers go by. */
export class Vantage {
  readonly #options: VantageOptions
  readonly #owned = new Map<string, Own>()
  readonly #sights = new Map<string, Sight>()
  /** What was decided before a start, of targets that are still to come, by key. */
  readonly #restored = new Map<string, Verdict>()
  readonly #own: Point
  #others: readonly Point[] = []
  #council: Council
  #listener = (): void => undefined

  constructor(options: VantageOptions) {
    this.#options = options
    this.#own = { pop: options.name, sights: this.#sights }
    this.#council = hold(this.#own, [], options.rules)
    options.channel.whenChanged(() => this.#hear())
  }

  /** Takes what our own checks say of a target, tells the others, and says what answers are to go by. */
  settle(target: Watched, { verdict, suspect, gone, since, why }: OwnView): { readonly verdict: Verdict; readonly suspect: boolean } {
    const { name: here, channel, rules, runnerOf } = this.#options
    const runner = runnerOf(target.name)
    if (runner === 'each') return { verdict, suspect }
    const own = this.#ownOf(target)
    own.isGone = verdict === 'DOWN' && (gone || own.isGone)
    const sight: Sight = { name: target.name, verdict, isSuspect: suspect, isRunner: runner === here, isGone: runner === here && own.isGone, since, why }
    this.#sights.set(own.key, sight)
    channel.put('verdicts', own.key, writeSight(sight))
    if (this.#convene()) queueMicrotask(() => this.#listener())
    const decision = decide(own.key, this.#council, own.last, rules)
    if (decision.basis === 'votes') own.last = decision.verdict
    this.#tell(own, decision, sight)
    return { verdict: decision.verdict, suspect: decision.isSuspect }
  }

  /** Where vantage points do not see a target alike: `down here, up at 3 of 4 vantage points: answered as up`. */
  readonly note = (name: string): string | undefined => this.#owned.get(name)?.note

  /** The target is checked no more. */
  forget(name: string): void {
    const own = this.#owned.get(name)
    if (own === undefined) return
    this.#owned.delete(name)
    this.#sights.delete(own.key)
    this.#options.channel.put('verdicts', own.key, new Uint8Array(0))
  }

  /** For `restore` after the next start. */
  decided(): readonly Decided[] {
    return [...this.#owned].flatMap(([name, { key, last }]) => (last === undefined ? [] : [{ key, name, verdict: last }]))
  }

  /** Before the first target is settled. */
  restore(decisions: readonly Decided[]): void {
    for (const { key, verdict } of decisions) this.#restored.set(key, verdict)
  }

  status(): PopsStatus {
    const { name, channel, rules, clock } = this.#options
    const council = this.#council
    return {
      name,
      now: clock.now(),
      total: rules.total,
      quorum: { needed: needed(rules.total, rules.quorum), believed: council.believed.length, has: council.hasQuorum },
      isBelieved: council.believed.includes(this.#own),
      pops: channel.view().map((view): PopStatus => ({ ...view, ...comparison(this.#own, this.#others.find(({ pop }) => pop === view.name), council) }))
    }
  }

  /** Called when `settle` may say something else of targets that have not changed here. */
  whenChanged(listener: () => void): void {
    this.#listener = listener
  }

  close(): void {
    this.#options.channel.close()
  }

  #hear(): void {
    const { channel } = this.#options
    this.#others = channel.view().flatMap(({ name }) => {
      const entries = channel.heard('verdicts', name)
      return entries === undefined ? [] : [this.#read(name, entries)]
    })
    this.#convene()
    this.#listener()
  }

  /** Whoever does not run a target cannot know that it is gone. */
  #read(pop: string, entries: ReadonlyMap<string, Uint8Array>): Point {
    const sights = new Map<string, Sight>()
    for (const [key, octets] of entries) {
      const sight = readSight(octets)
      if (sight === undefined) continue
      const isRunner = sight.isRunner && this.#options.runnerOf(sight.name) === pop
      sights.set(key, { ...sight, isRunner, isGone: isRunner && sight.isGone })
    }
    return { pop, sights }
  }

  /** Whether that changes what is decided about more than one target. */
  #convene(): boolean {
    const { rules, log } = this.#options
    const before = this.#council
    const after = hold(this.#own, this.#others, rules)
    this.#council = after
    const line = describeLoss(before, after, rules)
    if (line !== undefined) log.warn(line)
    return before.hasQuorum !== after.hasQuorum || namesOf(before) !== namesOf(after)
  }

  #ownOf({ name, plan }: Watched): Own {
    const known = this.#owned.get(name)
    if (known?.plan === plan) return known
    this.forget(name)
    const key = keyOfTarget(name, plan)
    const last = this.#restored.get(key)
    this.#restored.delete(key)
    const own: Own = { key, plan, isGone: false, ...(last !== undefined && { last }) }
    this.#owned.set(name, own)
    return own
  }

  #tell(own: Own, decision: Decision, sight: Sight): void {
    const { rules, log } = this.#options
    const note = describeDecision(decision, sight, this.#council, rules)
    const { note: told, decision: before } = own
    Object.assign(own, { note, decision })
    // That there is no quorum has been said once for all of them.
    if (note === told || (before?.verdict === decision.verdict && decision.basis === 'held')) return
    log.info({ target: sight.name }, `${sight.name}: ${note ?? `${decision.verdict.toLowerCase()}, as it is seen here`}`)
  }
}

const namesOf = ({ believed }: Council): string => believed.map(({ pop }) => pop).join()

/** How another PoP's sights stand beside ours. */
function comparison(own: Point, other: Point | undefined, council: Council): Pick<PopStatus, 'isBelieved' | 'compared' | 'otherwise' | 'differs'> {
  if (other === undefined) return { isBelieved: false, compared: 0, otherwise: [], differs: [] }
  const shared = [...own.sights].flatMap(([key, here]) => {
    const there = other.sights.get(key)
    return there === undefined ? [] : [{ here, there }]
  })
  const names = new Set([...own.sights.values()].map(({ name }) => name))
  const otherwise = [...other.sights].filter(([key, { name }]) => names.has(name) && !own.sights.has(key)).map(([, { name }]) => name)
  const differs = shared.filter(({ here, there }) => here.verdict !== there.verdict).map(({ here, there }) => ({ target: here.name, here: here.verdict, there: there.verdict, since: there.since, why: there.why }))
  return { isBelieved: council.believed.includes(other), compared: shared.length, otherwise, differs }
}
