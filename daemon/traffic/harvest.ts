import { TALLY, tallyCountry } from '../answer/index.ts'
import { nameToText } from '../wire/index.ts'
import { NODE, nodeWord, type ZoneImage } from '../zone/index.ts'

/** Queries of some time: by name ('' stands for those that got no row of their own) and country ('' where that is not known). */
export type Counts = Map<string, Map<string, number>>

/** Zones as they were built: their nodes are called by the same numbers. */
export interface Built {
  readonly build: number
  readonly image: ZoneImage
}

/** Takes what serving threads have counted since the last time. Names are remembered only while their zones are. */
export interface Harvester {
  /** @param built the zones in service, and those before, which threads may still be answering from */
  take(built: readonly Built[], into: Counts): void
}

export function makeHarvester(tallies: readonly Int32Array[]): Harvester {
  const last = new Map<Int32Array, Int32Array>()
  let names = new Map<number, string>()
  let namesOf = -1
  const nameOf = ({ build, image }: Built, node: number): string => {
    if (namesOf !== build || names.size > 100_000) names = new Map()
    namesOf = build
    let name = names.get(node)
    if (name === undefined) names.set(node, (name = node < image.nodeCount ? nameToText(image.bytes, nodeWord(image, node, NODE.NAME)) : ''))
    return name
  }
  return {
    take(built, into) {
      for (const tally of tallies) {
        const build = Atomics.load(tally, TALLY.BUILD)
        const zones = built.find((each) => each.build === build)
        const now = tally.slice()
        if (zones === undefined || Atomics.load(tally, TALLY.BUILD) !== build) continue
        const before = last.get(tally)
        last.set(tally, now)
        takeOne(now, before?.[TALLY.BUILD] === build ? before : undefined, (node) => (node === 0 ? '' : nameOf(zones, node)), into)
      }
    }
  }
}

function takeOne(now: Int32Array, before: Int32Array | undefined, nameOf: (node: number) => string, into: Counts): void {
  const since = (at: number): number => ((now[at]! - (before?.[at] ?? 0)) | 0) >>> 0
  for (let at = TALLY.COUNTRIES; at < TALLY.ROWS; at++) if (now[at] !== 0) add(into, '', tallyCountry(at - TALLY.COUNTRIES), since(at))
  for (let at = TALLY.ROWS; at < now.length; at += TALLY.ROW) {
    const node = now[at + TALLY.NODE]!
    if (node !== 0) add(into, nameOf(node), tallyCountry(now[at + TALLY.COUNTRY]!), since(at + TALLY.COUNT))
  }
}

export function add(into: Counts, name: string, country: string, count: number): void {
  if (count === 0) return
  const countries = into.get(name)
  if (countries === undefined) into.set(name, new Map([[country, count]]))
  else countries.set(country, (countries.get(country) ?? 0) + count)
}
