import fc from 'fast-check'
import { makeScannedName, nameToText, scanName, TYPE_ROWS, typeToText } from '../../daemon/wire/index.ts'
import { buildZoneImage, lookup, makeFinding, openZoneImage, rdataFromText, rdataToText, readZone, type Zone, type ZoneReading, TYPE_ALIAS, TYPE_ROUTE } from '../../daemon/zone/index.ts'
import { rdataText } from '../helpers/rdata-texts.ts'
import { Broken, never } from './broken.ts'
import { readZoneTexts } from './corpus.ts'
import { mutatePacket, mutateText } from './mutate.ts'
import type { Subject } from './subject.ts'

function read(text: string): ZoneReading {
  const include = 'inside A 192.0.2.99\n$INCLUDE other\n'
  return readZone({ file: 'test.zone', origin: 'example.test.', read: (path) => Buffer.from(path === 'test.zone' ? text : include, 'latin1') })
}

/** Feeds changed zone files to the reader: it tells faults where they stand and never throws, and what it takes is served and read back. */
export function zoneSubject(): Subject {
  const texts = readZoneTexts()
  return {
    name: 'zone files',
    feed(random) {
      const text = mutateText(random, random.pick(texts).text)
      const { zone, faults } = never('readZone', text, () => read(text))
      const lines = text.split('\n')
      for (const { file, line, column, reason, severity } of faults) {
        if (file === 'test.zone' && (line < 1 || line > lines.length || column < 1 || column > lines[line - 1]!.length + 1)) throw new Broken(`a fault at ${line}:${column}, where nothing stands`, text)
        if (reason === '' || /undefined|NaN|\[object/.test(reason)) throw new Broken(`a fault that says "${reason}" (${severity})`, text)
      }
      if ((zone === undefined) !== faults.some(({ severity }) => severity === 'error')) throw new Broken('a zone with errors, or none without', text)
      if (zone !== undefined) never('what was read', text, () => checkZone(zone, text))
    }
  }
}

/** Every record is found where it stands, and the zone written out again is the same zone. */
function checkZone(zone: Zone, text: string): void {
  const image = openZoneImage(buildZoneImage([zone]))
  const name = makeScannedName()
  const finding = makeFinding()
  const written: string[] = []
  for (const { owner, type, ttl, rdata } of zone.records) {
    if (scanName(owner, 0, owner.length, name) === 0) throw new Broken('an owner that is no name', text)
    lookup(image, name, type, finding)
    if (finding.outcome === 'not ours' || finding.outcome === 'nxdomain') throw new Broken(`${nameToText(owner)} ${typeToText(type)} is ${finding.outcome}`, text)
    const mnemonic = type === TYPE_ROUTE ? 'ROUTE' : type === TYPE_ALIAS ? 'ALIAS' : typeToText(type)
    written.push(`${nameToText(owner)} ${ttl} IN ${mnemonic} ${rdataToText(type, rdata)}`)
  }
  const again = read(`${written.join('\n')}\n`).zone
  if (again === undefined) throw new Broken('its records, written out, are refused', text)
  const linesOf = ({ records }: Zone): string[] => [...records].map(({ owner, type, ttl, rdata }) => `${nameToText(owner)} ${ttl} ${type} ${Buffer.from(rdata).toString('hex')}`).toSorted()
  if (linesOf(again).join('\n') !== linesOf(zone).join('\n')) throw new Broken('its records, written out, read back as others', text)
}

/** Feeds any octets to every type as RDATA: as text and back they are the same. */
export function rdataSubject(): Subject {
  const sound = TYPE_ROWS.map((row) => ({ type: row.number, all: fc.sample(rdataText(row), { seed: 1, numRuns: 20 }).map((text) => rdataFromText(row.number, text)).filter((data) => typeof data !== 'string') }))
  return {
    name: 'RDATA',
    feed(random) {
      const { type, all } = random.percent(2) ? { type: 65_534, all: [] } : random.pick(sound)
      const isNoise = random.percent(30) || all.length === 0
      const octets = isNoise ? Uint8Array.from({ length: random.pick([0, 1, 4, 8, 20, 60]) }, () => (random.percent(40) ? random.below(4) : random.below(256))) : mutatePacket(random, all)
      const text = never(`rdataToText of ${typeToText(type)}`, octets, () => rdataToText(type, octets))
      const back = never(`rdataFromText of ${typeToText(type)}`, text, () => rdataFromText(type, text))
      // The generic form of a known type is read only when its octets fit that type.
      const isSame = typeof back === 'string' ? text.startsWith('\\#') : Buffer.compare(back, octets) === 0
      if (!isSame) throw new Broken(`${typeToText(type)} ${text} reads back as ${typeof back === 'string' ? back : Buffer.from(back).toString('hex')}`, octets)
    }
  }
}
