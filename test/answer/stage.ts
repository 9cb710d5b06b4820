import { parseAddress, parsePrefix } from '../../core/address.ts'
import { formatFault } from '../../core/trouble.ts'
import { openRouting, readPolicies, type Target } from '../../daemon/routing/index.ts'
import type { World } from '../../daemon/world.ts'
import { buildZoneImage, openZoneImage, readZone, type Zone } from '../../daemon/zone/index.ts'
import { buildNetworks, openNetworks, type Place, type Places } from '../../geodb/index.ts'
import { healthWord, makeHealthTable, setHealth } from '../../healthchecks/index.ts'
import type { Case, Change } from './case.ts'

/** Reads a zone that must be without errors. */
export function zoneOf(name: string, text: string): Zone {
  const { zone, faults } = readZone({ file: `${name}.zone`, origin: `${name}.`, read: () => text })
  if (zone === undefined) throw new Error(faults.map(formatFault).join('\n'))
  return zone
}

/** The world that the stage of a case describes. */
export function worldOf({ zones, policies, edges, places }: Pick<Case, 'zones' | 'policies' | 'edges' | 'places'>): World {
  const targets = edges.map(targetOf)
  const known = placesOf(places)
  const read = readPolicies({ file: 'policies.yaml', text: policies === '' ? 'policies: {}\n' : policies, targets })
  if (read.image === undefined) throw new Error(read.faults.map(formatFault).join('\n'))
  const image = buildZoneImage(zones.map(({ name, text }) => zoneOf(name, text)))
  const laid = buildNetworks({ named: read.networks.named })
  const networks = laid && openNetworks(laid)
  const health = makeHealthTable(targets.length)
  for (const target of targets.keys()) setHealth(health, target, healthWord('UP', 'none', false))
  return { generation: 1, zones: openZoneImage(image), places: known, networks, routing: openRouting(read.image, known, networks), targets: read.image.targets, health, suspectTtl: 5 }
}

/** Makes a change to the health of a target. */
export function change(world: World, { edge, state }: Change): void {
  const target = world.targets.findIndex(({ name }) => name === edge)
  setHealth(world.health, target, healthWord(state === 'down' ? 'DOWN' : 'UP', state === 'drain' ? 'drain' : 'none', state === 'suspect'))
}

function targetOf([name, ...words]: string[]): Target {
  const addresses = words.flatMap((word) => parseAddress(word) ?? [])
  const [latitude, longitude] = words.slice(addresses.length).map(Number)
  const of = (family: 4 | 6): Uint8Array[] => addresses.filter((address) => address.family === family).map(({ bytes }) => bytes)
  const at = latitude === undefined || longitude === undefined ? {} : { at: [latitude, longitude] as const }
  return { name: name!, checked: true, ipv4: of(4), ipv6: of(6), ...at }
}

/** Places found by looking through all prefixes: slow, and written straight from the definition. */
function placesOf(lines: readonly string[][]): Places {
  const list: Place[] = [{ source: 'nowhere' }]
  const prefixes = lines.map(([prefix, country, continent, latitude, longitude]) => {
    const place = list.push({ country: country!, continent: continent!, latitude: Number(latitude), longitude: Number(longitude), source: 'case' }) - 1
    return { ...parsePrefix(prefix!)!, place }
  })
  const find = (family: 4 | 6, bytes: Uint8Array): number => {
    const holds = prefixes.filter((prefix) => prefix.family === family && isWithin(bytes, prefix.bytes, prefix.length)).toSorted((a, b) => b.length - a.length)[0]
    return holds === undefined ? 0 : (holds.place << 8) | holds.length
  }
  return {
    find4: (address) => find(4, Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address)),
    find6: (bytes, at) => find(6, bytes.slice(at, at + 16)),
    size: list.length,
    place: (number) => list[number]!
  }
}

function isWithin(bytes: Uint8Array, prefix: Uint8Array, length: number): boolean {
  for (let bit = 0; bit < length; bit++) if (((bytes[bit >> 3]! ^ prefix[bit >> 3]!) & (0x80 >> (bit & 7))) !== 0) return false
  return true
}
