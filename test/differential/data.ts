import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { TYPE_ROWS, typeFromText } from '../../daemon/wire/types.ts'
import { rdataFromText, rdataToText } from '../../daemon/zone/index.ts'
import { rdataText } from '../helpers/rdata-texts.ts'
import type { Random } from '../helpers/random.ts'

/** Reads one record as BIND does. @returns its RDATA in hexadecimal digits, undefined when BIND refuses it */
function readByBind(mnemonic: string, text: string): string | undefined {
  const { stdout } = spawnSync('named-rrchecker', ['-u'], { input: `IN ${mnemonic} ${text}\n`, encoding: 'latin1' })
  return /\\# \d+\s?(.*)/.exec(stdout)?.[1]?.replaceAll(' ', '').toLowerCase()
}

/** Random data of a random type: do BIND and Nearcast make the same octets of it, and does BIND read what Nearcast prints? */
export function tryData(random: Random): string | undefined {
  const row = random.pick(TYPE_ROWS)
  const [text] = fc.sample(rdataText(row), { seed: random.below(2 ** 31), numRuns: 1 })
  const theirs = readByBind(row.mnemonic, text!)
  if (theirs === undefined) return undefined
  const type = typeFromText(row.mnemonic)!
  const ours = rdataFromText(type, text!)
  if (typeof ours === 'string') return `${row.mnemonic} ${text}: BIND reads ${theirs}, Nearcast says ${ours}`
  const octets = Buffer.from(ours).toString('hex')
  if (octets !== theirs) return `${row.mnemonic} ${text}: BIND reads ${theirs}, Nearcast ${octets}`
  const printed = rdataToText(type, ours)
  const back = readByBind(row.mnemonic, printed)
  return back === theirs ? undefined : `${row.mnemonic} ${text}: printed as ${printed}, of which BIND makes ${back ?? 'nothing'}`
}
