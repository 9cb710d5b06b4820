import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { decode, encode, type Answer, type DecodedPacket, type Question, type RecordType } from 'dns-packet'
import { messageOf } from '../core/trouble.ts'
import { askAll, attempt, type Asked, type Attempt, type Probe, type ProbeOptions, type ProbeTarget } from './probe.ts'

/** One question, and what passes as its answer. */
export interface DnsSpec extends ProbeTarget {
  readonly kind: 'dns'
  readonly port: number
  readonly transport: 'udp' | 'tcp'
  readonly name: string
  readonly type: string
  readonly rcode: string
  /** Data of one record of the answer; absent: any, or none. */
  readonly answer?: string
}

const PAYLOAD = 1232

export const probeDns: Probe<DnsSpec> = (spec, options) => askAll(spec, options, (address) => (spec.transport === 'udp' ? askUdp : askTcp)(address, spec, options))

function askUdp(address: string, spec: DnsSpec, options: ProbeOptions): Promise<Asked> {
  return attempt(options, (attempt) => {
    const { id, query } = makeQuery(spec)
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    socket.on('error', (error: NodeJS.ErrnoException) => attempt.broke(error))
    // Connected, so that only its answers are heard, and its refusal is.
    socket.connect(spec.port, address, (error?: NodeJS.ErrnoException) => {
      // Where there is no way, this is called with the reason, whatever its type says.
      if (error !== undefined) return attempt.broke(error)
      attempt.connected()
      if (!attempt.isOver) socket.send(query, (error) => error !== null && attempt.broke(error))
    })
    socket.on('message', (message) => judge(message, id, spec, attempt))
    return () => socket.close()
  })
}

function askTcp(address: string, spec: DnsSpec, options: ProbeOptions): Promise<Asked> {
  return attempt(options, (attempt) => {
    const { id, query } = makeQuery(spec)
    const socket = connect({ host: address, port: spec.port })
    let received = Buffer.alloc(0)
    socket.on('error', (error: NodeJS.ErrnoException) => attempt.broke(error))
    socket.on('close', () => attempt.fail('connection closed before the answer was complete'))
    socket.once('connect', () => {
      attempt.connected()
      socket.write(Buffer.concat([Buffer.of(query.length >> 8, query.length & 0xff), query]))
    })
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      judge(received.subarray(2, 2 + received.readUInt16BE(0)), id, spec, attempt)
      attempt.fail('its answer is for another question')
    })
    return () => socket.destroy()
  })
}

function makeQuery({ name, type }: DnsSpec): { id: number; query: Buffer } {
  const id = randomInt(65536)
  const additionals = [{ type: 'OPT' as const, name: '.' as const, udpPayloadSize: PAYLOAD, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }]
  return { id, query: encode({ type: 'query', id, flags: 0, questions: [{ type: type as RecordType, name: plain(name) }], additionals }) }
}

/** What is no answer to the question is not listened to. */
function judge(message: Buffer, id: number, { name, type, rcode, answer }: DnsSpec, attempt: Attempt): void {
  let packet: DecodedPacket
  try {
    packet = decode(message)
  } catch (error) {
    attempt.fail(`its answer is no DNS message: ${messageOf(error)}`)
    return
  }
  const [question, ...more] = packet.questions ?? []
  if (packet.id !== id || packet.type !== 'response' || (question !== undefined && !isAsked(question, name, type))) return
  // The type of the package does not know the field that its code sets.
  const said = (packet as DecodedPacket & { rcode: string }).rcode
  if (said !== rcode) return attempt.fail(said)
  if (question === undefined) return attempt.fail(`${said}, without the question`)
  if (more.length > 0) return attempt.fail(`${said}, with more questions than one`)
  const records = (packet.answers ?? []).filter((record) => record.type === type).map(dataOf)
  if (answer === undefined || records.includes(plain(answer))) attempt.pass(`${said}, ${records.length} ${records.length === 1 ? 'record' : 'records'}`)
  else attempt.fail(records.length === 0 ? `${said} without a record of type ${type}` : `answers ${records.slice(0, 3).join(', ')}`)
}

function isAsked({ name, type, class: group }: Question, wanted: string, wantedType: string): boolean {
  return plain(name) === plain(wanted) && type === wantedType && (group ?? 'IN') === 'IN'
}

const plain = (name: string): string => name.toLowerCase().replace(/(?<=.)\.$/, '')

/** A record's data in one line. */
function dataOf(record: Answer): string {
  const { data } = record as { data?: unknown }
  const text = (value: unknown): string => {
    if (Buffer.isBuffer(value)) return value.toString('utf8')
    if (Array.isArray(value)) return value.map(text).join(' ')
    return typeof value === 'object' && value !== null ? Object.values(value).map(text).join(' ') : String(value)
  }
  return plain(text(data))
}
