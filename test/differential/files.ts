import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { TYPE_ROWS } from '../../daemon/wire/types.ts'
import { rdataText } from '../helpers/rdata-texts.ts'
import { checkZone, type Verdict } from './checkers.ts'
import type { Random } from '../helpers/random.ts'
import { PEERS } from './servers.ts'

// Zone files that nobody has shown the checkers yet: one record of random data, or a sound file with a few octets changed.

const corpus = fileURLToPath(new URL('../../../test/fuzz/corpus/zones', import.meta.url))
const HEAD = '$TTL 60\n@ SOA ns1 hostmaster 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n'
const ORIGIN = 'example.test.'

/** A file to ask the checkers about. */
export interface Trial {
  readonly about: string
  readonly text: string
}

/** One record of a type beside what a zone needs; its data as it should be, or somewhat damaged. */
function recordTrial(random: Random): Trial {
  const row = random.pick(TYPE_ROWS)
  const [sound] = fc.sample(rdataText(row), { seed: random.below(2 ** 31), numRuns: 1 })
  const text = random.percent(50) ? sound! : damageText(random, sound!)
  return { about: `${row.mnemonic} ${text}`, text: `${HEAD}x ${row.mnemonic} ${text}\n` }
}

/** A file of the corpus with some of its octets changed. */
function fileTrial(random: Random): Trial {
  const name = random.pick(readdirSync(corpus).filter((each) => each.endsWith('.zone')))
  const sound = readFileSync(join(corpus, name), 'latin1')
  return { about: name, text: random.percent(5) ? sound : damageText(random, sound) }
}

export function draftTrial(random: Random): Trial {
  return random.percent(60) ? recordTrial(random) : fileTrial(random)
}

const PIECES = ['(', ')', '"', '\\', ';', '\n', ' ', '\t', '@', '.', '..', '*', '$ORIGIN x\n', '$TTL 1h\n', '\\000', '\\256', '\\#', '\\# 0', '-1', '0', '4294967296', '65536', '256', 'x'.repeat(64), 'IN', 'CH', 'TYPE65280', '1h30m', '\r\n', 'A', '""', '=', ',']

/** Text with pieces put in, taken out, doubled or moved. */
export function damageText(random: Random, text: string): string {
  let out = text
  for (let left = 1 + random.below(2); left > 0; left--) {
    const at = random.below(out.length + 1)
    const words = out.split(' ')
    switch (random.below(6)) {
      case 0: out = out.slice(0, at) + random.pick(PIECES) + out.slice(at); break
      case 1: out = out.slice(0, at) + out.slice(at + 1 + random.below(3)); break
      case 2: words.splice(random.below(words.length), 1); out = words.join(' '); break
      case 3: words.splice(random.below(words.length), 0, random.pick(words)); out = words.join(' '); break
      case 4: words[random.below(words.length)] = random.pick(PIECES); out = words.join(' '); break
      default: out = out.slice(0, at) + String.fromCharCode(33 + random.below(94)) + out.slice(at + 1)
    }
  }
  return out
}

/** A file that Nearcast takes and all peers refuse, or that all take and it refuses. */
export interface Disagreement {
  readonly trial: Trial
  readonly verdicts: Readonly<Record<string, Verdict>>
}

/** @returns undefined when Nearcast is of the mind of at least one peer */
export function tryFile(trial: Trial): Disagreement | undefined {
  const verdicts = checkZone(ORIGIN, Buffer.from(trial.text, 'latin1'))
  const { nearcast } = verdicts
  return PEERS.every((peer) => verdicts[peer].accepts !== nearcast.accepts) ? { trial, verdicts } : undefined
}

/** The same disagreement in fewer lines. */
export function shrinkFile(found: Disagreement): Disagreement {
  let best = found
  for (let size = Math.ceil(found.trial.text.split('\n').length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.trial.text.split('\n').length; ) {
      const lines = best.trial.text.split('\n')
      const fewer = tryFile({ ...best.trial, text: [...lines.slice(0, from), ...lines.slice(from + size)].join('\n') })
      if (fewer !== undefined && fewer.verdicts['nearcast']!.accepts === best.verdicts['nearcast']!.accepts) best = fewer
      else from += size
    }
  }
  return best
}
