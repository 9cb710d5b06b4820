import { momentText } from '../../core/moment.ts'
import { formatAddress, ipv4Number, maskBytes, type Address } from '../../core/address.ts'
import { nearest } from '../../core/suggest.ts'
import { describePlace } from '../../geodb/index.ts'
import { goesByClient, keyLength, subnetKey } from '../routing/index.ts'
import type { Candidate, Step } from '../routing/types.ts'
import { makeScannedName, MNEMONIC_LIST, nameFromText, nameToText, scanName, TYPE, typeFromText, typeToText, type ScannedName } from '../wire/index.ts'
import type { World } from '../world.ts'
import { lookup, makeFinding } from '../zone/index.ts'
import type { Explanation } from './api.ts'
import { assumeHealth } from '../traffic/index.ts'
import { NOT_KNOWN, nowLines, pastTable, policiesLines, worldOfThen, type Past, type PastTable } from './explain-past.ts'
import { readReply, writeQuery } from './explain-answer.ts'
import { findNetworks } from './explain-network.ts'
import { closestEncloser, meantName, nearName, showName, showRrset, typesAt, zoneOf, type ShownRrset } from './explain-zone.ts'

export interface ExplainQuestion {
  readonly name: string
  /** A type's mnemonic, such as `A`. */
  readonly type: string
  readonly from: Address
  /** Health to suppose in the place of what is, such as `icn=down,fra*=drain`. */
  readonly assume?: string
  /** Health as it stood, in the place of what is. */
  readonly past?: Past
}

/** Puts a query to an answerer of this world as if it had come from `source` over UDP; undefined when it is answered with silence. */
export type Ask = (query: Uint8Array, source: Address, world: World) => Uint8Array | undefined

/** What is found out on the way from the question to its end. */
interface Walk {
  readonly world: World
  readonly from: Address
  readonly type: number
  readonly steps: Step[]
  readonly records: string[]
  /** The smallest TTL met. */
  ttl: number
  zone?: Explanation['zone']
  place?: Explanation['place']
  network?: Explanation['network']
  policy?: string
  candidates: readonly Candidate[]
  failOpen: boolean
  unsettled: boolean
}

/** Where a walk stands: finished with an outcome, or led on to another name. */
type Stage = { readonly outcome: Explanation['outcome'] } | { readonly next: Uint8Array }

/** Aliases followed; the answerer has its own bound. */
const MOST_ALIASES = 16

/** Runs the production path for one question and tells each step; a text says what is wrong with the question, or begins with NOT_KNOWN. */
export function explainName(live: World, ask: Ask, question: ExplainQuestion): Explanation | string {
  const name = nameFromText(question.name)
  if (typeof name === 'string') return `name: ${question.name} is not a name: ${name}`
  const type = typeFromText(question.type)
  if (type === undefined) {
    const near = nearest(question.type, MNEMONIC_LIST)
    return `type: there is no type ${question.type}${near === undefined ? '; TYPE123 stands for any number' : ` (did you mean ${near}?)`}`
  }
  const supposed = suppose(live, question)
  if (typeof supposed === 'string') return supposed
  const { world, lines, assumed, unknown } = supposed
  const walk: Walk = { world, from: question.from, type, steps: [], records: [], ttl: Number.POSITIVE_INFINITY, candidates: [], failOpen: false, unsettled: false }
  for (const line of lines) tell(walk, 0, line)
  const outcome = follow(walk, name)
  const reply = ask(writeQuery(name, type, question.from), question.from, world)
  const answer = reply === undefined ? { rcode: 'silence', authoritative: false, answers: [], authorities: [] } : readReply(reply)
  if (outcome === 'routed' && answer.ttl !== undefined) tellTtl(walk, answer.ttl)
  const { zone, place, network, policy, records, steps, failOpen, unsettled } = walk
  const lost = walk.candidates.flatMap(({ target }) => unknown?.get(target) ?? [])[0]
  if (lost !== undefined) return lost
  if (question.past?.policies.kind === 'other' && policy !== undefined && world.routing.find(policy) === undefined) return `${NOT_KNOWN}: ${records.at(-1)} stands in its zone now, and there was no policy ${policy} then`
  const asOfNow = question.past && nowLines(question.past, walk)
  for (const { text } of asOfNow ?? []) tell(walk, 0, text)
  const candidates = assumed === undefined ? walk.candidates : walk.candidates.map((each) => (assumed.has(each.target) ? { ...each, state: `${each.state} (assumed)` } : each))
  return {
    question: { name: nameToText(name), type: typeToText(type), from: formatAddress(question.from.bytes), ...(question.assume === undefined ? {} : { assume: question.assume }), ...(question.past && { at: momentText(question.past.at) }) },
    outcome,
    ...(zone === undefined ? {} : { zone }),
    records,
    ...(place === undefined ? {} : { place }),
    ...(network === undefined ? {} : { network }),
    ...(policy === undefined ? {} : { policy }),
    steps,
    candidates,
    failOpen,
    unsettled,
    ...(asOfNow && { asOfNow }),
    ...(question.past?.policies.kind === 'other' && { policiesOfThen: { since: question.past.policies.since, until: question.past.policies.until } }),
    answer
  }
}

/** A world to be asked in the place of the live one. */
interface Supposed {
  readonly world: World
  /** What is other than it is now, for people. */
  readonly lines: readonly string[]
  /** Names of targets whose health was supposed. */
  readonly assumed?: ReadonlySet<string>
  /** Targets of whose health nothing was known then, with a line that says so. */
  readonly unknown?: PastTable['unknown']
}

/** As it was, where that is asked, and then as it is assumed to be; a text says what is wrong with that. */
function suppose(live: World, { past, assume }: ExplainQuestion): Supposed | string {
  const then = past === undefined ? live : worldOfThen(live, past.policies)
  const table = past && pastTable(past, live.health, then.targets)
  const base = table === undefined ? then : { ...then, health: table.health }
  const lines = past === undefined ? [] : [table!.text, ...policiesLines(past.policies)]
  if (assume === undefined) return { world: base, lines, ...(table && { unknown: table.unknown }) }
  const assumed = assumeHealth(base.health, base.targets, assume)
  if (typeof assumed === 'string') return assumed
  return { world: { ...base, health: assumed.health }, lines: [...lines, `assumed: ${assumed.text}; all else as it ${past === undefined ? 'is' : 'was'}`], assumed: assumed.names, ...(table && { unknown: table.unknown }) }
}

function follow(walk: Walk, first: Uint8Array): Explanation['outcome'] {
  let name = first
  for (let aliases = 0; aliases < MOST_ALIASES; aliases++) {
    const stage = look(walk, name, aliases)
    if ('outcome' in stage) return stage.outcome
    name = stage.next
  }
  tell(walk, 0, `more than ${MOST_ALIASES} aliases: given up`)
  return 'alias'
}

/** One name of the chain: what the zones say of it. */
function look(walk: Walk, name: Uint8Array, aliases: number): Stage {
  const { zones } = walk.world
  const scanned = makeScannedName()
  scanName(name, 0, name.length, scanned)
  const finding = makeFinding()
  lookup(zones, scanned, walk.type, finding)
  const shown = nameToText(name)
  if (finding.outcome === 'not ours') {
    const near = aliases === 0 ? nearName(zones, shown) : undefined
    tell(walk, 0, aliases === 0 ? `no zone of ours holds ${shown}${near === undefined ? '' : ` (did you mean ${near}?)`}` : `${shown} is in no zone of ours: the resolver goes on from there`)
    return { outcome: aliases === 0 ? 'notours' : 'alias' }
  }
  const zone = zoneOf(zones, finding.node)
  walk.zone ??= zone
  tell(walk, 0, `${shown} is in zone ${zone.origin}, serial ${zone.serial}`)
  if (finding.standing === 'wildcard') tell(walk, 1, `there is no such name; the wildcard ${showName(zones, finding.node)} stands for it`)
  const rrset = finding.rrset < 0 ? undefined : showRrset(zones, finding.node, finding.rrset)
  walk.ttl = Math.min(walk.ttl, rrset?.ttl ?? walk.ttl)
  for (const record of rrset?.records ?? []) {
    walk.records.push(record)
    tell(walk, 1, record)
  }
  switch (finding.outcome) {
    case 'found':
      return { outcome: 'found' }
    case 'nodata':
      tell(walk, 1, `the name exists but has no ${typeToText(walk.type)}: ${typesAt(zones, finding.node).join(', ') || 'it is there only because of names below it'}`)
      return { outcome: 'nodata' }
    case 'nxdomain': {
      const meant = meantName(zones, finding.node, shown)
      tell(walk, 1, `there is no such name, and no wildcard at ${closestEncloser(zones, scanned) ?? zone.origin}, the nearest name above it that exists${meant === undefined ? '' : ` (did you mean ${meant}?)`}`)
      return { outcome: 'nxdomain' }
    }
    case 'delegation':
      tell(walk, 1, `${showName(zones, finding.node)} is delegated: the answer is a referral to these name servers`)
      return { outcome: 'delegation' }
    case 'cname':
    case 'alias':
      return { next: rrset!.rdata[0]! }
    case 'dname':
      return behindDname(walk, name, showName(zones, finding.node), rrset!)
    case 'routed':
      return route(walk, rrset!, scanned)
  }
}

/** The name with the end that the DNAME's owner is replaced by its target (RFC 6672 §2.2). */
function behindDname(walk: Walk, name: Uint8Array, owner: string, rrset: ShownRrset): Stage {
  const own = nameFromText(owner)
  const target = rrset.rdata[0]!
  if (typeof own === 'string' || name.length - own.length + target.length > 255) {
    tell(walk, 1, 'the name behind the DNAME would be too long: YXDOMAIN')
    return { outcome: 'alias' }
  }
  const next = Uint8Array.from([...name.subarray(0, name.length - own.length), ...target])
  tell(walk, 1, `which makes it ${nameToText(next)}`)
  return { next }
}

/** @param asked the routed name as it was asked for: below a wildcard not the wildcard's own */
function route(walk: Walk, rrset: ShownRrset, asked: ScannedName): Stage {
  const { world, from } = walk
  const name = new TextDecoder().decode(rrset.rdata[0])
  walk.policy = name
  const policy = world.routing.find(name)
  if (policy === undefined) {
    tell(walk, 1, `there is no policy ${name}: SERVFAIL`)
    return { outcome: 'routed' }
  }
  const at = from.family === 4 ? world.places.find4(ipv4Number(from.bytes)) : world.places.find6(from.bytes, 0)
  const place = world.places.place(at >>> 8)
  const prefix = `${formatAddress(maskBytes(from.bytes, at & 0xff))}/${at & 0xff}`
  const family = walk.type === TYPE.A ? 4 : walk.type === TYPE.AAAA ? 6 : undefined
  const found = findNetworks(world, policy, from)
  const { choice, steps, candidates } = world.routing.explain(policy, at >>> 8, world.health, family, found.network, found.source)
  const isDrawn = choice.draw !== undefined && goesByClient(choice.draw)
  if (world.routing.usesPlace(policy)) {
    walk.place = { text: describePlace(place), prefix, source: place.source }
    tell(walk, 0, `${formatAddress(from.bytes)} is in ${prefix}: ${describePlace(place)}, says ${place.source}`)
  } else tell(walk, 0, isDrawn ? `where the client is has no say in this policy; its network ${networkText(from)} has: by that it draws` : 'where the client is has no say in this policy')
  if (found.told !== undefined) {
    walk.network = found.told
    tell(walk, 0, `${formatAddress(from.bytes)} is ${found.told.text}${found.told.prefix.endsWith('/0') ? '' : `; so is all of ${found.told.prefix}`}`)
  }
  tell(walk, 0, `policy ${name} decides`)
  for (const { depth, text } of steps) tell(walk, depth + 1, text)
  const drawn = world.routing.tellDraw(choice, { client: subnetKey(from.bytes, 0, from.bytes.length, from.family), name: asked.hashes[0]!, told: { client: `the client's network ${networkText(from)}`, name: `the name ${nameToText(asked.lower)}` } })
  for (const { depth, text } of drawn.steps) tell(walk, depth + 1, text)
  walk.candidates = drawn.targets === undefined ? candidates : candidates.map((each) => ofDraw(each, drawn.targets!.map((target) => world.routing.targets[target]!.name)))
  walk.failOpen = choice.failOpen
  walk.unsettled = choice.unsettled
  return { outcome: 'routed' }
}

/** Of the targets that some are answered with, those that whoever asks here is. */
function ofDraw(candidate: Candidate, drawn: readonly string[]): Candidate {
  if (!candidate.chosen) return candidate
  const isDrawn = drawn.includes(candidate.target)
  return { ...candidate, chosen: isDrawn, why: isDrawn ? `drawn; ${candidate.why}` : `drawn by others: ${candidate.why}` }
}

/** The network by which choices are drawn, of one who asks for himself. */
function networkText({ family, bytes }: Address): string {
  const length = keyLength(family)
  return `${formatAddress(maskBytes(bytes, length))}/${length}`
}

function tellTtl({ unsettled, ttl, steps }: Walk, answered: number): void {
  const text = unsettled && answered < ttl ? `TTL ${answered}, cut from ${ttl}: a target in question is suspect or down` : `TTL ${answered}, as the zone has it`
  steps.push({ depth: 0, text })
}

function tell(walk: Walk, depth: number, text: string): void {
  walk.steps.push({ depth, text })
}
