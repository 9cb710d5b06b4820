import { PatternFault, readPattern, type Step } from './pattern-reader.ts'

// Regular expressions that match in time linear in the text, whatever they are: an automaton that is in all its states at
// once, so that nothing is tried twice. What such an automaton cannot do (back references, lookaround) is refused.

export interface Pattern {
  /** Whether it matches anywhere in the text. Takes at most (characters × steps of the automaton) steps. */
  matches(text: string): boolean
}

/** Why a text is no pattern, in a few words; undefined: it is one. */
export function patternFault(text: string): string | undefined {
  try {
    readPattern(text)
    return undefined
  } catch (error) {
    if (error instanceof PatternFault) return error.message
    throw error
  }
}

/** Alternatives, groups, classes, `.`, `* + ? {n,m}` and their lazy forms, `^ $ \b \B`, `\d \w \s`; `(?i)` at the beginning ignores case. Throws when the text is none. */
export function compilePattern(text: string): Pattern {
  const { steps, start } = readPattern(text)
  return { matches: (subject) => run(steps, start, Array.from(subject, (character) => character.codePointAt(0)!)) }
}

function run(steps: readonly Step[], start: number, text: readonly number[]): boolean {
  const seen = new Int32Array(steps.length).fill(-1)
  let states: number[] = []
  for (let index = 0; index <= text.length; index++) {
    const open = [...states, start]
    states = []
    while (open.length > 0) {
      const at = open.pop()!
      if (seen[at] === index) continue
      seen[at] = index
      const step = steps[at]!
      if (step.kind === 'found') return true
      if (step.kind === 'fork') open.push(step.next, step.other)
      else if (step.kind === 'at') {
        if (step.holds(text, index)) open.push(step.next)
      } else if (index < text.length && step.takes(text[index]!)) states.push(step.next)
    }
  }
  return false
}
