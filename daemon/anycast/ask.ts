import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import type { After } from '../../core/clock.ts'
import { messageOf } from '../../core/trouble.ts'

// One question to an own DNS listener. It has passed when the answer is authoritative, without an error, and holds what was asked
// for; for anything less a resolver would go elsewhere.

export interface Listener {
  readonly address: string
  readonly port: number
}

export interface AskOptions {
  /** Zone whose SOA is asked for; undefined: where none is served, any answer passes. */
  readonly zone: string | undefined
  readonly timeoutMs: number
  readonly after: After
}

const TYPE_SOA = 6
const CLASS_IN = 1
const HEADER = 12
const LARGEST = 65_535
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']

/** Why it does not answer truly; undefined when it does. Never rejects. */
export function askOver(transport: 'udp' | 'tcp', listener: Listener, options: AskOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    const { query, id } = makeQuery(options.zone)
    let close = (): void => undefined
    const settle = (why: string | undefined): void => {
      cancel()
      close()
      resolve(why)
    }
    const cancel = options.after(options.timeoutMs, () => settle(`no answer within ${options.timeoutMs} ms`))
    const judge = (message: Uint8Array): void => {
      if (message.length < HEADER || message[0] !== id >> 8 || message[1] !== (id & 0xff) || (message[2]! & 0x80) === 0) return
      settle(whyNotTrue(message, options.zone))
    }
    close = (transport === 'udp' ? overUdp : overTcp)(listener, query, judge, (error) => settle(WORDS[error.code ?? ''] ?? messageOf(error)))
  })
}

const WORDS: Readonly<Record<string, string>> = { ECONNREFUSED: 'refused', ECONNRESET: 'reset', EADDRNOTAVAIL: 'it is not bound on this machine (nearcast anycast bind)', EINVAL: 'it is not bound on this machine (nearcast anycast bind)' }

type Way = (listener: Listener, query: Uint8Array, judge: (message: Uint8Array) => void, broke: (error: NodeJS.ErrnoException) => void) => () => void

const overUdp: Way = ({ address, port }, query, judge, broke) => {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  let isOpen = true
  socket.on('error', broke)
  socket.on('message', judge)
  // From the address itself: were it not on this machine, another PoP would answer.
  socket.bind({ address, exclusive: true }, () => {
    // Connected, so that its refusal is heard.
    socket.connect(port, address, (error?: NodeJS.ErrnoException) => {
      if (error !== undefined) broke(error)
      else if (isOpen) socket.send(query, (error) => error !== null && broke(error))
    })
  })
  return () => {
    if (isOpen) socket.close()
    isOpen = false
  }
}

const overTcp: Way = ({ address, port }, query, judge, broke) => {
  const socket = connect({ host: address, port, localAddress: address })
  let received = Buffer.alloc(0)
  socket.on('error', broke)
  socket.on('connect', () => socket.write(Buffer.concat([Buffer.of(query.length >> 8, query.length & 0xff), query])))
  socket.on('close', () => broke(Object.assign(new Error('closed before it answered'), { code: '' })))
  socket.on('data', (piece) => {
    received = Buffer.concat([received, piece])
    if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) judge(received.subarray(2, 2 + received.readUInt16BE(0)))
    else if (received.length > LARGEST + 2) broke(new Error('answers without end'))
  })
  return () => socket.destroy()
}

/** The SOA of a zone (RFC 1035 §4.1), or that of the root where any answer will do. */
function makeQuery(zone = '.'): { readonly id: number; readonly query: Uint8Array } {
  const id = randomInt(65_536)
  const labels = zone.split('.').filter((label) => label !== '')
  const name = Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), Buffer.from(label, 'latin1')]), Buffer.of(0)])
  return { id, query: Buffer.concat([Buffer.of(id >> 8, id & 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0), name, Buffer.of(0, TYPE_SOA, 0, CLASS_IN)]) }
}

function whyNotTrue(message: Uint8Array, zone: string | undefined): string | undefined {
  if (zone === undefined) return undefined
  const rcode = message[3]! & 0x0f
  if (rcode !== 0) return `answers ${RCODES[rcode] ?? `RCODE ${rcode}`} for ${zone}`
  if ((message[2]! & 0x04) === 0) return `is not authoritative for ${zone}`
  return message[6] === 0 && message[7] === 0 ? `has no SOA of ${zone}` : undefined
}

const LONGEST_STATUS_LINE = 16

/** Why nobody answers HTTP there; undefined when somebody does, whatever it is. Never rejects. */
export function askHttp({ address, port }: Listener, { timeoutMs, after }: Omit<AskOptions, 'zone'>): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, localAddress: address })
    const settle = (why: string | undefined): void => {
      cancel()
      socket.destroy()
      resolve(why)
    }
    const cancel = after(timeoutMs, () => settle(`no answer within ${timeoutMs} ms`))
    let received = ''
    socket.setEncoding('latin1')
    socket.on('connect', () => socket.write(`GET /healthz HTTP/1.1\r\nHost: ${address.includes(':') ? `[${address}]` : address}\r\nConnection: close\r\n\r\n`))
    socket.on('data', (piece: string) => {
      received += piece
      if (received.length >= LONGEST_STATUS_LINE) settle(received.startsWith('HTTP/1.') ? undefined : 'does not speak HTTP')
    })
    socket.on('error', (error: NodeJS.ErrnoException) => settle(WORDS[error.code ?? ''] ?? messageOf(error)))
    socket.on('close', () => settle('closed before it answered'))
  })
}
