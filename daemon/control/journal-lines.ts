import { crc32 } from 'node:zlib'
import { nameFromText, nameToText, typeFromText, typeToText } from '../wire/index.ts'
import { layerKey, mergeTouched, type Layer, type RRset, type Touched } from '../update/index.ts'

// The text of a journal: a line each, a CRC-32 in eight hexadecimal digits before its JSON. The first says what the others lie over,
// each other is what one write brought, however many updates that were.

/** What a journal lies over. */
export interface JournalHead {
  readonly journal: 1
  readonly origin: string
  /** Fingerprint of the zone file's texts. */
  readonly file: string
  /** Serial of the SOA in it. */
  readonly fileSerial: number
  /** What is served with nothing else in the journal. */
  readonly serial: number
}

interface SetText {
  readonly name: string
  readonly type: string
  /** What the file says: with the first change of an RRset alone. `null` stands for none, as JSON has no other word. */
  readonly was?: DataText | null
  readonly now?: DataText
}

interface DataText {
  readonly ttl: number
  /** RDATA in base64. */
  readonly data: readonly string[]
}

interface StepText {
  readonly serial: number
  readonly sets: readonly SetText[]
}

export const headLine = (head: JournalHead): string => withSum(JSON.stringify(head))

/** The line of a step that is taken on top of a layer. */
export function stepLine(layer: Layer, serial: number, touched: readonly Touched[]): string {
  const sets = touched.map(({ owner, type, was, now }): SetText => {
    const isFirst = !layer.sets.has(layerKey(owner, type))
    return { name: nameToText(owner), type: typeToText(type), ...(isFirst && { was: was === undefined ? null : textOf(was) }), ...(now !== undefined && { now: textOf(now) }) }
  })
  return withSum(JSON.stringify({ serial, sets } satisfies StepText))
}

const textOf = ({ ttl, data }: RRset): DataText => ({ ttl, data: data.map((each) => Buffer.from(each).toString('base64')) })

const withSum = (json: string): string => `${sumOf(json)} ${json}\n`

const sumOf = (json: string): string => crc32(json).toString(16).padStart(8, '0')

/** What a journal says. */
export interface JournalText {
  readonly head: JournalHead
  readonly layer: Layer
  /** Octets up to the end of the last line that is whole. */
  readonly whole: number
  readonly steps: number
  /** Whole lines stand behind one that is not: not what an interrupted write leaves. */
  readonly isBroken: boolean
}

/** Reads a journal; undefined when not even its first line is whole. */
export function readJournal(content: Buffer): JournalText | undefined {
  let head: JournalHead | undefined
  let layer: Layer = { serial: 0, sets: new Map() }
  let [whole, steps, isBroken] = [0, 0, false]
  for (let at = 0; at < content.length; ) {
    const end = content.indexOf(10, at)
    const json = end < 0 ? undefined : jsonOf(content.toString('utf8', at, end))
    if (json === undefined) {
      isBroken = hasWholeLine(content, at)
      break
    }
    if (head === undefined) {
      head = json as JournalHead
      layer = { serial: head.serial, sets: new Map() }
    } else {
      layer = takeStep(layer, json as StepText)
      steps++
    }
    whole = at = end + 1
  }
  return head === undefined || head.journal !== 1 ? undefined : { head, layer, whole, steps, isBroken }
}

function jsonOf(line: string): unknown {
  const json = line.slice(9)
  if (line[8] !== ' ' || sumOf(json) !== line.slice(0, 8)) return undefined
  return JSON.parse(json) as unknown
}

/** Whether a line behind the one at `from` is whole. */
function hasWholeLine(content: Buffer, from: number): boolean {
  for (let at = content.indexOf(10, from) + 1; at > 0; ) {
    const end = content.indexOf(10, at)
    if (end < 0) return false
    if (jsonOf(content.toString('utf8', at, end)) !== undefined) return true
    at = end + 1
  }
  return false
}

function takeStep(layer: Layer, { serial, sets }: StepText): Layer {
  const touched = sets.map(({ name, type, was, now }): Touched => {
    const owner = nameFromText(name) as Uint8Array
    const number = typeFromText(type)!
    const set = ({ ttl, data }: DataText): RRset => ({ owner, type: number, ttl, data: data.map((each) => new Uint8Array(Buffer.from(each, 'base64'))) })
    return { owner, type: number, ...(was !== undefined && was !== null && { was: set(was) }), ...(now !== undefined && { now: set(now) }) }
  })
  return { serial, sets: mergeTouched(layer, touched).sets }
}
