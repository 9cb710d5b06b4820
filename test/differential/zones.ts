import fc from 'fast-check'
import { TYPE_ROWS } from '../../daemon/wire/types.ts'
import { rdataText } from '../helpers/rdata-texts.ts'
import type { Random } from '../helpers/random.ts'

// Random zones full of what is hard: wildcards within wildcards, names without data, DNAMEs upon DNAMEs, cuts with half their
// glue, aliases that go round, long names, large sets, every type that all servers read.

/** A record as a line of a zone file has it; the owner is absolute. */
export interface Line {
  readonly owner: string
  readonly type: string
  readonly text: string
  readonly ttl: number
}

/** A zone before it is written: its lines, the SOA first. */
export interface DraftZone {
  readonly origin: string
  readonly lines: readonly Line[]
}

/** Types that not every server here reads, or that change what a zone is. */
const APART = new Set(['SOA', 'NS', 'CNAME', 'DNAME', 'RRSIG', 'NSEC', 'NSEC3', 'NSEC3PARAM', 'DNSKEY', 'DS', 'KEY', 'OPENPGPKEY'])
/** Types that knotd, nsd and named of Debian 12 all read in their text form. */
const SHARED = new Set([
  'A', 'PTR', 'HINFO', 'MINFO', 'MX', 'TXT', 'RP', 'AFSDB', 'RT', 'AAAA', 'LOC', 'SRV', 'NAPTR', 'KX', 'CERT', 'APL', 'SSHFP', 'IPSECKEY', 'DHCID', 'TLSA', 'SMIMEA',
  'CSYNC', 'SVCB', 'HTTPS', 'SPF', 'NID', 'L32', 'L64', 'LP', 'EUI48', 'EUI64', 'URI', 'CAA'
])

export type TypeTexts = ReadonlyMap<string, readonly string[]>

/** RDATA texts of every type that all servers read. */
export function sampleTexts(seed: number, each: number): TypeTexts {
  const rows = TYPE_ROWS.filter(({ mnemonic }) => SHARED.has(mnemonic) && !APART.has(mnemonic))
  return new Map(rows.map((row) => [row.mnemonic, fc.sample(rdataText(row), { seed, numRuns: each })]))
}

const LABELS = ['a', 'b', 'c', 'd', '*', '*', 'x', 'www', 'A', 'ns', '_tcp', '0', String.raw`\.`, String.raw`a\032b`, String.raw`\000`, String.raw`\255\254`, 'l'.repeat(63), 'k'.repeat(40)]
const ORIGINS = ['alpha.test.', 'child.alpha.test.', 'beta.test.', 'a.b.beta.test.']
const OUTSIDE = ['host.example.', 'alpha.test.example.', 'test.', '.', 'nowhere.invalid.']

/** In place of RDATA that depends on what else there is. */
const FILL = '?'

interface Drafting {
  readonly random: Random
  readonly texts: TypeTexts
  readonly zones: readonly { readonly origin: string; readonly lines: Line[]; readonly has: Map<string, Set<string>> }[]
}

/** Some zones that know of each other. */
export function draftZones(random: Random, texts: TypeTexts): DraftZone[] {
  const count = 2 + random.below(ORIGINS.length - 1)
  const drafting: Drafting = { random, texts, zones: ORIGINS.slice(0, count).map((origin) => ({ origin, lines: [], has: new Map() })) }
  for (const zone of drafting.zones) {
    add(zone, zone.origin, 'SOA', `ns.${zone.origin} hostmaster.${zone.origin} ${1 + random.below(9)} 3600 600 604800 ${random.pick([0, 60, 3600])}`, random.pick([30, 300, 86_400]))
    const isInside = random.percent(80)
    add(zone, zone.origin, 'NS', isInside ? `ns.${zone.origin}` : 'ns.example.', 300)
    if (isInside) add(zone, `ns.${zone.origin}`, 'A', '192.0.2.53', 300)
  }
  for (const zone of drafting.zones) {
    const entries = 8 + random.below(40)
    for (let left = entries; left > 0; left--) addEntry(drafting, zone)
  }
  return drafting.zones.map(({ origin, lines }) => ({ origin, lines: withoutCovered(lines, origin) }))
}

/** Without what stands beneath a DNAME, which two of the servers refuse (RFC 6672 §2.4). */
function withoutCovered(lines: readonly Line[], origin: string): Line[] {
  const covers = lines.filter(({ type }) => type === 'DNAME').map(({ owner }) => `.${owner.toLowerCase()}`)
  return lines.filter(({ owner, type }) => owner === origin || owner === `ns.${origin}` || type === 'SOA' || !covers.some((cover) => owner.toLowerCase().endsWith(cover)))
}

type Draft = Drafting['zones'][number]

/** Adds a record unless its type may not stand beside what the owner has. */
function add(zone: Draft, owner: string, type: string, text: string, ttl: number): void {
  if (nameOctets(owner) > 255) return
  const key = owner.toLowerCase()
  const has = zone.has.get(key) ?? new Set()
  if (type === 'CNAME' && has.size > 0) return
  if (has.has('CNAME') || (type === 'DNAME' && has.has('DNAME'))) return
  if (type === 'DNAME' && (key === zone.origin || `ns.${zone.origin}`.endsWith(key))) return
  if (key !== zone.origin && ((type === 'DNAME' && has.has('NS')) || (type === 'NS' && has.has('DNAME')))) return
  if (type === 'NS' && owner.startsWith('*')) return
  if (type === 'DNAME' && owner.startsWith('*')) return
  const known = zone.lines.find((line) => line.owner.toLowerCase() === key && line.type === type)
  has.add(type)
  zone.has.set(key, has)
  zone.lines.push({ owner, type, text, ttl: known?.ttl ?? ttl })
}

function nameOctets(text: string): number {
  return text.replaceAll(/\\(\d{3}|.)/g, 'x').length + 1
}

function owner(drafting: Drafting, zone: Draft): string {
  const { random } = drafting
  const known = [...zone.has.keys()]
  // Beneath or beside what is there already more often than not: that is where the hard cases are.
  const base = random.percent(60) ? random.pick(known) : zone.origin
  const depth = random.pick([0, 1, 1, 1, 2, 2, 3])
  const labels = Array.from({ length: depth }, () => random.pick(LABELS))
  return labels.length === 0 ? base : `${labels.join('.')}.${base}`
}

/** A name to point at: one that is there, one beneath it, one that is nowhere. */
function target(drafting: Drafting): string {
  const { random, zones } = drafting
  if (random.percent(15)) return random.pick(OUTSIDE)
  const zone = random.pick(zones)
  const known = random.pick([...zone.has.keys()])
  const name = random.percent(35) ? `${random.pick(LABELS)}.${known}` : random.percent(15) ? `gone.${zone.origin}` : known
  return nameOctets(name) > 255 ? zone.origin : name
}

function addEntry(drafting: Drafting, zone: Draft): void {
  const { random, texts } = drafting
  const at = owner(drafting, zone)
  const ttl = random.pick([0, 5, 60, 300, 3600, 86_400, 2_147_483_647])
  const kind = random.below(100)
  if (kind < 25) add(zone, at, random.pick(['A', 'A', 'AAAA']), FILL, ttl)
  else if (kind < 40) add(zone, at, 'CNAME', target(drafting), ttl)
  else if (kind < 50) add(zone, at, 'DNAME', target(drafting), ttl)
  else if (kind < 62) addCut(drafting, zone, at, ttl)
  else if (kind < 70) add(zone, at, random.pick(['MX', 'SRV']), FILL, ttl)
  else if (kind < 76) for (let left = random.pick([3, 20, 90]); left > 0; left--) add(zone, at, random.pick(['TXT', 'A', 'AAAA']), FILL, ttl)
  else {
    const type = random.pick([...texts.keys()])
    add(zone, at, type, random.pick(texts.get(type)!), ttl)
  }
  fillIn(drafting, zone)
}

/** A delegation with some of the addresses it needs, and perhaps data that it hides. */
function addCut(drafting: Drafting, zone: Draft, at: string, ttl: number): void {
  const { random } = drafting
  if (at.toLowerCase() === zone.origin || at.includes('*')) return
  for (let left = 1 + random.below(3); left > 0; left--) {
    const server = random.percent(50) ? `ns${left}.${at}` : random.percent(50) ? target(drafting) : `ns.${zone.origin}`
    add(zone, at, 'NS', nameOctets(server) > 255 ? 'ns.example.' : server, ttl)
    if (random.percent(70) && server.endsWith(`.${zone.origin}`)) add(zone, server, random.pick(['A', 'AAAA']), FILL, ttl)
  }
  if (random.percent(40)) add(zone, at, 'DS', `${random.below(65_536)} 13 2 ${'ab'.repeat(32)}`, ttl)
  if (random.percent(30)) add(zone, `${random.pick(LABELS)}.${at}`, random.pick(['TXT', 'A']), FILL, ttl)
}

/** Gives the lines that were added without RDATA some. */
function fillIn({ random, zones }: Drafting, zone: Draft): void {
  const points = (): string => {
    const known = random.pick([...random.pick(zones).has.keys()])
    return random.percent(80) ? known : random.pick(OUTSIDE)
  }
  for (const [index, line] of zone.lines.entries()) {
    if (line.text !== FILL) continue
    const text = {
      A: () => `192.0.2.${random.below(256)}`,
      AAAA: () => `2001:db8::${random.below(65_536).toString(16)}`,
      TXT: () => `"${'t'.repeat(random.pick([1, 10, 200]))}${random.below(1_000_000)}"`,
      MX: () => `${random.below(3)} ${points()}`,
      SRV: () => `${random.below(3)} 1 53 ${points()}`
    }[line.type]!()
    zone.lines[index] = { ...line, text }
  }
}

/** The zone as a master file. */
export function zoneText({ lines }: DraftZone): string {
  return lines.map(({ owner, type, text, ttl }) => `${owner} ${ttl} IN ${type} ${text}\n`).join('')
}
