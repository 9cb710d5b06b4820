import { CLASS, isMetaType, isSubdomain, makeVerifier, nameToText, readMessage, signRequest, TYPE, typeToText, type MessageRecord, type TsigKey, type Verdict } from '../wire/index.ts'
import { isSerialAfter, makePacker, serialOf, type PackedRecords, type Packer, type PlainRecord, type ZoneChange } from '../zone/index.ts'
import { makeStepMerger, type StepMerger } from './merge-steps.ts'
import { makeQuestion, rcodeText } from './question.ts'

// A transfer in, without its connection: octets of messages in, a zone or a change out, all or nothing (RFC 5936, RFC 1995).

export interface TransferInOptions {
  /** Wire form, lower case. */
  readonly origin: Uint8Array
  readonly id: number
  /** RDATA of the SOA held: only what changed since is asked for (IXFR). Absent: the whole zone (AXFR). */
  readonly soa?: Uint8Array
  readonly key?: TsigKey
  readonly mostOctets: number
}

/** What a transfer came to. */
export type Transferred =
  /** The primary has nothing newer. */
  | { readonly kind: 'same' }
  | { readonly kind: 'change'; readonly change: ZoneChange; readonly steps: number }
  | { readonly kind: 'whole'; readonly records: PackedRecords; readonly serial: number; readonly soa: PlainRecord }

/** Why there is none. `isAboutIncremental`: the whole zone may come all the same. */
export interface TransferFault {
  readonly kind: 'fault'
  readonly reason: string
  readonly isAboutIncremental: boolean
}

export interface TransferIn {
  readonly query: Uint8Array
  /** Takes the next message, as it came; undefined: there is more to come. `now`: seconds since the epoch. */
  take(message: Uint8Array, now: number): Transferred | TransferFault | undefined
  /** Octets of records so far. */
  readonly octets: number
}

/** Begins a transfer. `now`: seconds since the epoch. */
export function beginTransferIn(options: TransferInOptions, now: number): TransferIn {
  const { origin, id, soa, key, mostOctets } = options
  const plain = makeQuestion({ id, name: origin, type: soa === undefined ? TYPE.AXFR : TYPE.IXFR, ...(soa !== undefined && { soa }) })
  const signed = key === undefined ? undefined : signRequest(plain, key, now)
  const verify = signed === undefined ? acceptUnsigned : makeVerifier(key!, signed.mac)
  const reader = makeRecordReader(origin, soa === undefined ? undefined : serialOf(soa))
  let isFirst = true
  const take = (bytes: Uint8Array, now: number): Transferred | TransferFault | undefined => {
    const verdict = verify(bytes, now)
    if (verdict.kind === 'bad') return fault(verdict.reason)
    const message = readMessage(verdict.message)
    if (message === undefined) return fault('a message cannot be read')
    const { questions, answers } = message
    if (message.id !== id || !message.isReply || message.opcode !== 0) return fault('a message is no reply to what was asked')
    if (message.rcode !== 0) return { ...fault(`refused with ${rcodeText(message.rcode)}`), isAboutIncremental: soa !== undefined && isFirst }
    if (message.isTruncated) return fault('a message is truncated')
    if (questions.length > 1 || (isFirst && questions.length === 0) || !questions.every(({ name, type }) => isSameName(name, origin) && type === (soa === undefined ? TYPE.AXFR : TYPE.IXFR))) {
      return fault('a message answers another question')
    }
    isFirst = false
    const result = reader.take(answers)
    if (result === undefined) return reader.octets > mostOctets ? fault(`it has over ${mostOctets} octets`) : undefined
    // Whoever cuts a transfer short must know the key (RFC 8945 §5.3.1).
    return result.kind !== 'fault' && key !== undefined && verdict.kind !== 'signed' ? fault('the last message is not signed') : result
  }
  return {
    query: signed === undefined ? plain : signed.message,
    take,
    get octets() {
      return reader.octets
    }
  }
}

const acceptUnsigned = (message: Uint8Array): Verdict => ({ kind: 'unsigned', message })

function fault(reason: string): TransferFault {
  return { kind: 'fault', reason, isAboutIncremental: false }
}

export function isSameName(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && isSubdomain(a, b)
}

interface RecordReader {
  take(records: readonly MessageRecord[]): Transferred | TransferFault | undefined
  readonly octets: number
}

/** Where in the stream of records a reader stands. */
type Place = 'start' | 'second' | 'whole' | 'deletions' | 'additions' | 'end'

/** What a reader has seen. */
interface Reading {
  readonly origin: Uint8Array
  /** The serial held, when what changed was asked for. */
  readonly held: number | undefined
  readonly packer: Packer
  readonly merger: StepMerger
  place: Place
  /** The first SOA, which is the newest, and its serial. */
  newest: PlainRecord | undefined
  last: number
  /** The serial that the step at hand leads to. */
  to: number
  octets: number
}

/** Reads the records of the answer sections, one message's after another's. */
function makeRecordReader(origin: Uint8Array, held: number | undefined): RecordReader {
  const reading: Reading = { origin, held, packer: makePacker(), merger: makeStepMerger(origin), place: 'start', newest: undefined, last: 0, to: 0, octets: 0 }
  return {
    take: (records) => {
      // Messages without records have an end too.
      reading.octets += 12
      if (records.length === 0) return reading.place === 'start' ? fault('a message without records') : undefined
      for (const [index, record] of records.entries()) {
        const result = takeOne(reading, record)
        if (result === undefined) continue
        // What answers with more than a SOA that nothing is newer is a whole zone, which is not needed.
        return result.kind !== 'fault' && result.kind !== 'same' && index < records.length - 1 ? fault('a record follows the end') : result
      }
      return undefined
    },
    get octets() {
      return reading.octets
    }
  }
}

function takeOne(reading: Reading, { owner, type, class: of, ttl, rdata }: MessageRecord): Transferred | TransferFault | undefined {
  const { origin } = reading
  reading.octets += owner.length + rdata.length + 8
  if (of !== CLASS.IN) return fault(`a record of class ${of}`)
  if (!isSubdomain(owner, origin)) return fault(`${nameToText(owner)} ${typeToText(type)} lies outside the zone ${nameToText(origin)}`)
  if (isMetaType(type) || type === 0) return fault(`${nameToText(owner)} has a record of type ${typeToText(type)}, which has no place in a zone`)
  const record = { owner, type, ttl, rdata }
  if (type !== TYPE.SOA) return takeOther(reading, record)
  if (!isSameName(owner, origin)) return fault(`a SOA of ${nameToText(owner)} in the zone ${nameToText(origin)}`)
  return rdata.length < 22 ? fault('a SOA that is none') : takeSoa(reading, record)
}

/** A SOA in the place where it stands: the sections of IXFR begin with one each (RFC 1995 §4). */
function takeSoa(reading: Reading, record: PlainRecord): Transferred | TransferFault | undefined {
  const { place, held, packer, merger, last } = reading
  const serial = serialOf(record.rdata)
  switch (place) {
    case 'start':
      reading.newest = record
      reading.last = serial
      reading.place = 'second'
      if (held === serial) return { kind: 'same' }
      return held !== undefined && !isSerialAfter(serial, held) ? fault(`serial ${serial} comes before ${held}, which is held`) : undefined
    case 'second':
      if (held !== undefined && serial === held) return beginStep(reading, record)
      packer.add(reading.newest!)
      return endWhole(reading, serial)
    case 'whole':
      return endWhole(reading, serial)
    case 'deletions':
      reading.to = serial
      reading.place = 'additions'
      merger.endDeletions(record)
      return undefined
    case 'additions':
      if (serial !== reading.to) return fault(`a step from serial ${serial} follows one to ${reading.to}`)
      if (serial !== last) return beginStep(reading, record)
      reading.place = 'end'
      return { kind: 'change', ...merger.end() }
    case 'end':
      return fault('a record follows the end')
  }
}

function beginStep(reading: Reading, soa: PlainRecord): undefined {
  reading.place = 'deletions'
  reading.merger.beginStep(soa)
}

function endWhole(reading: Reading, serial: number): Transferred | TransferFault {
  const { last, packer, newest } = reading
  if (serial !== last) return fault(`it begins with serial ${last} and has a SOA with serial ${serial}: it changed on the way`)
  reading.place = 'end'
  return { kind: 'whole', records: packer.end(), serial, soa: newest! }
}

function takeOther(reading: Reading, record: PlainRecord): TransferFault | undefined {
  const { packer, merger } = reading
  switch (reading.place) {
    case 'start': return fault(`it begins with ${typeToText(record.type)}, not with a SOA`)
    case 'second':
      reading.place = 'whole'
      packer.add(reading.newest!)
      packer.add(record)
      return undefined
    case 'whole':
      packer.add(record)
      return undefined
    case 'deletions':
      merger.remove(record)
      return undefined
    case 'additions':
      merger.add(record)
      return undefined
    case 'end': return fault('a record follows the end')
  }
}
