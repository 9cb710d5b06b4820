import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What to send, and from where. */
export interface FloodTask {
  /** On 127.0.0.1. */
  readonly port: number
  readonly seconds: number
  readonly rate: number
  /** IPv4 addresses of this machine, a socket each. */
  readonly sources: readonly string[]
  /** In hexadecimal, sent in turn. */
  readonly packets: readonly string[]
}

/** What was sent and what came back. Octets are those of DNS messages. */
export interface Flood {
  readonly sent: number
  readonly sentOctets: number
  readonly answered: number
  readonly truncated: number
  readonly octets: number
}

/** Sends from a process of its own. */
export async function flood(task: FloodTask): Promise<Flood> {
  const child = fork(fileURLToPath(new URL('./flood-sender.js', import.meta.url)), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const result = new Promise<Flood>((resolve, reject) => {
    child.once('message', (flood: Flood) => resolve(flood))
    child.once('exit', () => reject(new Error('the sender ended without a result')))
  })
  child.send(task)
  return result
}

/** A query; the name may be a list of labels in octets. */
export interface QueryOptions {
  readonly id?: number
  readonly type?: number
  readonly class?: number
  readonly opcode?: number
  /** RDATA of an OPT record; absent: no EDNS. */
  readonly options?: Buffer
  readonly payload?: number
  readonly version?: number
}

export function queryPacket(name: string, { id = 1, type = 1, class: klass = 1, opcode = 0, options, payload = 1232, version = 0 }: QueryOptions = {}): Buffer {
  const u16 = (value: number): Buffer => Buffer.of(value >>> 8, value & 255)
  const labels = name.split('.').filter((label) => label !== '').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label, 'latin1')]))
  const head = Buffer.concat([u16(id), Buffer.of(opcode << 3, 0), u16(1), u16(0), u16(0), u16(options === undefined ? 0 : 1)])
  const opt = options === undefined ? Buffer.alloc(0) : Buffer.concat([Buffer.of(0, 0, 41), u16(payload), Buffer.of(0, version, 0, 0), u16(options.length), options])
  return Buffer.concat([head, ...labels, Buffer.of(0), u16(type), u16(klass), opt])
}

/** One option of an OPT record. */
export function option(code: number, data: Buffer): Buffer {
  return Buffer.concat([Buffer.of(code >>> 8, code & 255, data.length >>> 8, data.length & 255), data])
}

/** The same numbers in every run: xorshift. */
export function makeRandom(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}
