import { parsePrefix } from '../../core/address.ts'
import { makeHealthTable } from '../../healthchecks/table.ts'
import { addressesAt, expandHints, makeAssembly, variantsOf, type Assembly, type Steered, type Variant } from '../answer/index.ts'
import { makeScannedName, scanName, TYPE } from '../wire/index.ts'
import type { World } from '../world.ts'
import { findNode, findZone, NODE, nodeWord, RRSET, rrsetWord, TYPE_ALIAS, TYPE_ROUTE, zoneRecords, type PlainRecord } from '../zone/index.ts'
import { hasOpenHint } from './facts.ts'

// Another server knows no policy: what is steered leaves as the plain records that a client in one place is answered with while
// every target is up. Health has no part in it, so that a zone at one serial always leaves with the same contents.

/** The number of a place. @param place a country code, or an address or prefix; undefined in a world that knows no such country */
export function placeNumber({ places }: World, place: string): number | undefined {
  const prefix = parsePrefix(place)
  if (prefix !== undefined) {
    const { family, bytes } = prefix
    const found = family === 6 ? places.find6(bytes, 0) : places.find4(((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0)
    return found >>> 8
  }
  let best: number | undefined
  for (let number = 1; number < places.size; number++) {
    const { country, city, subdivision } = places.place(number)
    if (country !== place) continue
    if (city === undefined && subdivision === undefined) return number
    best ??= number
  }
  return best
}

/**
 * The records of a zone as another server may have them, its SOA first; each made when it is asked for.
 * @param place a number of the world's places
 */
export function* plainRecords(world: World, origin: Uint8Array, place: number): Generator<PlainRecord, void, void> {
  const { zones } = world
  const apex = findZone(zones, origin)
  const name = makeScannedName()
  let assembly: Assembly | undefined
  for (const record of zoneRecords(zones, origin) ?? []) {
    const { owner, type, rdata } = record
    const isPointer = type === TYPE_ROUTE || type === TYPE_ALIAS
    if (!isPointer && !((type === TYPE.SVCB || type === TYPE.HTTPS) && hasOpenHint(rdata))) {
      yield record
      continue
    }
    scanName(owner, 0, owner.length, name)
    const node = findNode(zones, name, 0)
    // What lies hidden beneath a lower zone of ours is nothing that anybody is answered with.
    if (node === 0 || nodeWord(zones, node, NODE.APEX) !== apex) continue
    assembly ??= makeAssembly(makeSteer(world, place))
    if (isPointer) yield* addressesOf(assembly, world, node, owner, type === TYPE_ALIAS)
    else yield* hinted(assembly, world, node, record)
  }
}

function* addressesOf(assembly: Assembly, { zones }: World, node: number, owner: Uint8Array, isAlias: boolean): Generator<PlainRecord, void, void> {
  for (const type of [TYPE.A, TYPE.AAAA]) {
    const found = addressesAt(assembly, zones, node, type, isAlias)
    if (found?.cname !== undefined) return yield { owner, type: TYPE.CNAME, ttl: found.ttl, rdata: found.cname }
    for (const rdata of found?.addresses ?? []) yield { owner, type, ttl: found!.ttl, rdata }
  }
}

function* hinted(assembly: Assembly, { zones }: World, node: number, { owner, type, ttl, rdata }: PlainRecord): Generator<PlainRecord, void, void> {
  assembly.finding.node = node
  const start = rdata.byteOffset - zones.bytes.byteOffset - 2
  const expanded = expandHints(assembly, zones, start, start + 2 + rdata.length)
  for (const each of expanded?.records ?? []) yield { owner, type, ttl: Math.min(ttl, expanded!.longestTtl), rdata: each }
}

/** Of several answers that a policy shares out, the one given most often, and of those the first. */
function makeSteer({ zones, routing, targets, health }: World, place: number): (rrset: number, type: number) => Steered {
  const allUp = makeHealthTable(health.words.length)
  const choices = new Map<string, Steered>()
  return (rrset, type) => {
    const at = rrsetWord(zones, rrset, RRSET.DATA) + 2
    const policy = Buffer.from(zones.bytes.slice(at, at - 2 + rrsetWord(zones, rrset, RRSET.LENGTH))).toString('latin1')
    const key = `${type} ${policy}`
    let steered = choices.get(key)
    if (steered === undefined) {
      const number = routing.find(policy)
      const choice = number === undefined ? undefined : routing.choose(number, routing.classOf(number, routing.usesPlace(number) ? place : 0), allUp, type === TYPE.A ? 4 : 6)
      const best = choice === undefined ? undefined : commonest(variantsOf(choice, targets, type))
      steered = { variants: best === undefined ? [] : [{ ...best, upTo: 0xffffffff }], longestTtl: Infinity, failOpen: false, hasNames: best?.cname !== undefined }
      choices.set(key, steered)
    }
    return steered
  }
}

function commonest(variants: readonly Variant[]): Variant | undefined {
  let best: Variant | undefined
  let most = 0
  let last = 0
  for (const variant of variants) {
    const share = variant.upTo - last
    last = variant.upTo
    // Shares that are equal but for rounding are equal.
    if (share <= most + 16) continue
    most = share
    best = variant
  }
  return best
}
