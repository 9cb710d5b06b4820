import { isGlob, matchesGlob } from '../../core/glob.ts'
import { suggestion } from '../../core/suggest.ts'
import { healthWord, verdictOf, type Forced, type HealthTable, type Verdict } from '../../healthchecks/table.ts'
import type { Target } from '../routing/index.ts'

// What would be answered if: health as somebody supposes it, in a table of its own. The live one is only read.

/** Health as supposed, and which targets differ from the live one by being named. */
export interface Assumed {
  readonly health: HealthTable
  readonly names: ReadonlySet<string>
  /** What each target is supposed to be: `icn down, fra drained`. */
  readonly text: string
}

type State = 'up' | 'down' | 'drain'
const STATES: readonly State[] = ['up', 'down', 'drain']
const SAID: Readonly<Record<State, string>> = { up: 'up', down: 'down', drain: 'drained' }

/**
 * @param text `icn=down,fra=drain`, with `*` and `?` in names; of several that mean one target the last holds. `down` is what
 *   checks would find, `drain` what an operator would force, `up` undoes both.
 * @returns one line when it is mistyped
 */
export function assumeHealth(health: HealthTable, targets: readonly Target[], text: string): Assumed | string {
  const words = health.words.slice()
  const meant = new Map<number, State>()
  for (const part of text.split(',')) {
    const [, pattern, typed] = /^\s*([^=\s]+)\s*=\s*([^=\s]+)\s*$/.exec(part) ?? []
    if (pattern === undefined) return `assume: ${part.trim() || 'nothing'}: expected EDGE=down, EDGE=drain or EDGE=up, several of them with commas`
    const state = STATES.find((known) => known === typed)
    if (state === undefined) return `assume: ${typed} is no state to assume (${suggestion(typed!, STATES)})`
    const found = targets.flatMap(({ name, checked }, target) => (checked && matchesGlob(pattern, name) ? [target] : []))
    if (found.length === 0) return `assume: ${notFound(pattern, targets)}`
    for (const target of found) meant.set(target, state)
  }
  for (const [target, state] of meant) {
    const word = targets[target]!.word ?? target
    words[word] = wordFor(state, words[word]!)
  }
  const names = [...meant].map(([target, state]) => `${targets[target]!.name} ${SAID[state]}`)
  return { health: { ...health, words }, names: new Set([...meant.keys()].map((target) => targets[target]!.name)), text: names.join(', ') }
}

function wordFor(state: State, word: number): number {
  const [verdict, forced]: [Verdict, Forced] = state === 'up' ? ['UP', 'none'] : state === 'down' ? ['DOWN', 'none'] : [verdictOf(word), 'drain']
  // What is beside verdict, force and doubt stays as it is.
  return healthWord(verdict, forced, false) | (word & ~0x1f)
}

function notFound(pattern: string, targets: readonly Target[]): string {
  const plain = targets.some(({ name, checked }) => !checked && matchesGlob(pattern, name))
  if (plain) return `${pattern} is a plain address without a check: it is always up`
  if (isGlob(pattern)) return `no edge is called ${pattern}`
  const hint = suggestion(pattern, targets.filter(({ checked }) => checked).map(({ name }) => name))
  return `there is no edge ${pattern}${hint === undefined ? '' : ` (${hint})`}`
}
