type Takes = (code: number) => boolean
type Holds = (text: readonly number[], index: number) => boolean

/** One step of an automaton; `next` and `other` are numbers of steps. */
export type Step =
  | { readonly kind: 'one'; readonly takes: Takes; next: number }
  | { readonly kind: 'at'; readonly holds: Holds; next: number }
  | { readonly kind: 'fork'; next: number; other: number }
  | { readonly kind: 'found' }

/** A part of the automaton: where it begins, and how to say what comes after it. */
interface Part {
  readonly start: number
  readonly ends: readonly ((next: number) => void)[]
}

/** What is wrong with a pattern, in a few words. */
export class PatternFault extends Error {}

const MOST_STEPS = 600
const MOST_REPEATS = 255
const DEEPEST = 32

const isDigit: Takes = (code) => code >= 48 && code <= 57
const isWord: Takes = (code) => isDigit(code) || (code >= 65 && code <= 90) || code === 95 || (code >= 97 && code <= 122)
const isSpace: Takes = (code) => /\s/.test(String.fromCodePoint(code))
const isLineEnd: Takes = (code) => code === 10 || code === 13 || code === 0x2028 || code === 0x2029
const not = (takes: Takes): Takes => (code) => !takes(code)
const isBoundary: Holds = (text, index) => (index > 0 && isWord(text[index - 1]!)) !== (index < text.length && isWord(text[index]!))

const CLASSES: Readonly<Record<string, Takes>> = { d: isDigit, D: not(isDigit), w: isWord, W: not(isWord), s: isSpace, S: not(isSpace) }
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, 0: 0 }

/** Reads a pattern into an automaton. Throws PatternFault. */
export function readPattern(written: string): { readonly steps: readonly Step[]; readonly start: number } {
  const reader = new PatternReader(written)
  return { steps: reader.steps, start: reader.whole() }
}

function fail(reason: string): never {
  throw new PatternFault(`is no regular expression: ${reason}`)
}

/** Reads from left to right. A class for what it gathers on the way; it lives as long as one reading. */
class PatternReader {
  readonly steps: Step[] = []
  readonly #text: readonly string[]
  readonly #ignoresCase: boolean
  #at = 0

  constructor(written: string) {
    this.#ignoresCase = written.startsWith('(?i)')
    this.#text = [...(this.#ignoresCase ? written.slice(4) : written)]
  }

  whole(): number {
    const whole = this.#alternatives(0)
    if (this.#at < this.#text.length) fail(') without its (')
    const found = this.#put({ kind: 'found' })
    for (const end of whole.ends) end(found)
    return whole.start
  }

  #put(step: Step): number {
    if (this.steps.length >= MOST_STEPS) fail('it is too large')
    return this.steps.push(step) - 1
  }

  #single(takes: Takes): Part {
    const step: Step = { kind: 'one', takes, next: -1 }
    return { start: this.#put(step), ends: [(next) => (step.next = next)] }
  }

  #place(holds: Holds): Part {
    const step: Step = { kind: 'at', holds, next: -1 }
    return { start: this.#put(step), ends: [(next) => (step.next = next)] }
  }

  #nothing(): Part {
    return this.#place(() => true)
  }

  #chain(first: Part, second: Part): Part {
    for (const end of first.ends) end(second.start)
    return { start: first.start, ends: second.ends }
  }

  #either(one: Part, other: Part): Part {
    return { start: this.#put({ kind: 'fork', next: one.start, other: other.start }), ends: [...one.ends, ...other.ends] }
  }

  #repeated(part: Part): Part {
    const step: Step = { kind: 'fork', next: part.start, other: -1 }
    const fork = this.#put(step)
    for (const end of part.ends) end(fork)
    return { start: fork, ends: [(next) => (step.other = next)] }
  }

  #cases(code: number): number[] {
    const character = String.fromCodePoint(code)
    return this.#ignoresCase ? [...character.toLowerCase(), ...character.toUpperCase()].map((each) => each.codePointAt(0)!) : [code]
  }

  #letter(code: number): Takes {
    const cases = this.#cases(code)
    return (other) => cases.includes(other)
  }

  #alternatives(depth: number): Part {
    let whole = this.#sequence(depth)
    while (this.#text[this.#at] === '|') {
      this.#at++
      whole = this.#either(whole, this.#sequence(depth))
    }
    return whole
  }

  #sequence(depth: number): Part {
    let whole = this.#nothing()
    while (this.#at < this.#text.length && this.#text[this.#at] !== '|' && this.#text[this.#at] !== ')') whole = this.#chain(whole, this.#piece(depth))
    return whole
  }

  /** An atom with what says how often it comes: for a count it is read again as often as needed. */
  #piece(depth: number): Part {
    const from = this.#at
    const part = this.#atom(depth)
    const range = this.#range()
    if (range === undefined) return part
    const end = this.#at
    let isFirst = true
    const copy = (): Part => {
      if (isFirst) {
        isFirst = false
        return part
      }
      this.#at = from
      const again = this.#atom(depth)
      this.#at = end
      return again
    }
    let whole = this.#nothing()
    for (let time = 0; time < range.least; time++) whole = this.#chain(whole, copy())
    if (range.most === undefined) whole = this.#chain(whole, this.#repeated(copy()))
    else for (let time = range.least; time < range.most; time++) whole = this.#chain(whole, this.#either(copy(), this.#nothing()))
    if (this.#text[this.#at] === '?') this.#at++
    if ('*+?'.includes(this.#text[this.#at] ?? ' ')) fail(`nothing before ${this.#text[this.#at]} to repeat`)
    return whole
  }

  #range(): { least: number; most: number | undefined } | undefined {
    const mark = this.#text[this.#at]
    if (mark === '{') return this.#counts()
    if (mark !== '*' && mark !== '+' && mark !== '?') return undefined
    this.#at++
    return { least: mark === '+' ? 1 : 0, most: mark === '?' ? 1 : undefined }
  }

  /** `{n}`, `{n,}` or `{n,m}`; anything else in braces is itself. */
  #counts(): { least: number; most: number | undefined } | undefined {
    const begin = this.#at++
    const least = this.#number()
    let most = least
    if (least !== undefined && this.#text[this.#at] === ',') {
      this.#at++
      most = this.#number()
    }
    if (least === undefined || this.#text[this.#at] !== '}') {
      this.#at = begin
      // A brace that counts nothing stands for itself: it is read as the next atom.
      return undefined
    }
    this.#at++
    if (Math.max(least, most ?? 0) > MOST_REPEATS) fail(`more than ${MOST_REPEATS} repetitions`)
    if (most !== undefined && most < least) fail('numbers out of order in {}')
    return { least, most }
  }

  #number(): number | undefined {
    let digits = ''
    while (/^\d$/.test(this.#text[this.#at] ?? '')) digits += this.#text[this.#at++]
    return digits === '' ? undefined : Number(digits)
  }

  #atom(depth: number): Part {
    const character = this.#text[this.#at++]!
    if (character === '(') return this.#group(depth)
    if (character === '[') return this.#set()
    if (character === '.') return this.#single(not(isLineEnd))
    if (character === '^') return this.#place((_, index) => index === 0)
    if (character === '$') return this.#place((all, index) => index === all.length)
    if ('*+?'.includes(character)) fail(`nothing before ${character} to repeat`)
    if (character !== '\\') return this.#single(this.#letter(character.codePointAt(0)!))
    const mark = this.#text[this.#at]
    if (mark === 'b' || mark === 'B') {
      this.#at++
      return this.#place((all, index) => isBoundary(all, index) === (mark === 'b'))
    }
    const found = this.#escaped()
    return this.#single(typeof found === 'function' ? found : this.#letter(found))
  }

  #group(depth: number): Part {
    if (depth > DEEPEST) fail('groups nested too deep')
    if (this.#text[this.#at] === '?') {
      if (this.#text[this.#at + 1] !== ':') fail('of (?…) only (?:…) is possible, and (?i) at the beginning')
      this.#at += 2
    }
    const inner = this.#alternatives(depth + 1)
    if (this.#text[this.#at++] !== ')') fail('( without its )')
    return inner
  }

  #set(): Part {
    const isNot = this.#text[this.#at] === '^'
    if (isNot) this.#at++
    const takers: Takes[] = []
    while (this.#text[this.#at] !== ']') {
      const from = this.#item()
      if (this.#text[this.#at] !== '-' || this.#text[this.#at + 1] === ']' || typeof from === 'function') {
        takers.push(typeof from === 'function' ? from : this.#letter(from))
        continue
      }
      this.#at++
      const to = this.#item()
      if (typeof to === 'function') takers.push(this.#letter(from), this.#letter(45), to)
      else if (to < from) fail('a range out of order in []')
      else takers.push((code) => this.#cases(code).some((each) => each >= from && each <= to))
    }
    this.#at++
    return this.#single((code) => takers.some((takes) => takes(code)) !== isNot)
  }

  #item(): Takes | number {
    const character = this.#text[this.#at++] ?? fail('[ without its ]')
    if (character !== '\\') return character.codePointAt(0)!
    if (this.#text[this.#at] !== 'b') return this.#escaped()
    this.#at++
    return 8
  }

  /** What stands behind a backslash: a class, or the character meant. */
  #escaped(): Takes | number {
    const character = this.#text[this.#at++] ?? fail('\\ at the end')
    const known = CLASSES[character] ?? CONTROLS[character]
    if (known !== undefined) return known
    if (character === 'x' || character === 'u') {
      const count = character === 'x' ? 2 : 4
      const digits = this.#text.slice(this.#at, this.#at + count).join('')
      if (digits.length !== count || !/^[0-9a-fA-F]+$/.test(digits)) fail(`\\${character} needs ${count} hexadecimal digits`)
      this.#at += count
      return Number.parseInt(digits, 16)
    }
    if (/[1-9]/.test(character)) fail('back references are not possible')
    if (/[A-Za-z]/.test(character)) fail(`there is no \\${character}`)
    return character.codePointAt(0)!
  }
}
