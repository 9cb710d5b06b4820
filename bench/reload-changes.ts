import { createSocket } from 'node:dgram'
import { closeSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { queryPacket, option } from './flood.ts'
import { benchZone, BENCH_ZONE, MILLION_ZONE } from './peers/zones.ts'

// What is changed under load, and how it is seen that the change is answered.

export interface Change {
  readonly what: string
  /** Makes change number `index`, from 1 on, 99 at most. */
  make(index: number): void
  /** Whether change number `index` is answered. */
  isSeen(index: number): Promise<boolean>
}

/** A file is replaced whole, as editors do; a name with a dot before it is no zone's. */
function replace(file: string, text: string): void {
  const fresh = join(dirname(file), `.${basename(file)}`)
  writeFileSync(fresh, text)
  renameSync(fresh, file)
}

/** The small zone with another address for `stamp`; `tell` lets the server know. */
export function zoneChange(port: number, file: string, tell: () => void, routed?: string): Change {
  return {
    what: 'a record of a small zone',
    make: (index) => {
      replace(file, `${benchZone(routed).replace(' 1 3600', ` ${1 + index} 3600`)}stamp 1 A 10.9.0.${index}\n`)
      tell()
    },
    isSeen: async (index) => (await addressOf(port, `stamp.${BENCH_ZONE}`)) === `10.9.0.${index}`
  }
}

/** Where the routed name r0 goes, in a file of policies. */
export function policyChange(port: number, file: string): Change {
  return { what: 'a policy', make: (index) => replace(file, policyText(index)), isSeen: async (index) => (await addressOf(port, `r0.${BENCH_ZONE}`)) === `10.9.1.${index}` }
}

export const policyText = (index: number): string => `policies:\n  places: { simple: [10.9.1.${index}] }\n`
export const secretText = (index: number): string => `${index.toString(16).padStart(32, '0')}\n`

const COOKIE = 10
const CLIENT_COOKIE = Buffer.from('nearcast')
const BADCOOKIE = 23

/** The secret of DNS cookies. The server enforces them: it refuses a cookie that was made with the secret before. */
export function secretChange(port: number, file: string): Change {
  let known: Buffer = CLIENT_COOKIE
  return {
    what: 'the secret of DNS cookies',
    make: (index) => replace(file, secretText(index)),
    isSeen: async () => {
      const reply = await ask(port, queryPacket(`www.${BENCH_ZONE}`, { options: option(COOKIE, known) }))
      if (reply === undefined) return false
      const at = reply.indexOf(CLIENT_COOKIE) - 4
      const isRefused = reply[3]! % 16 === BADCOOKIE % 16
      if (at > 0) known = reply.subarray(at + 4, at + 4 + reply.readUInt16BE(at + 2))
      return isRefused
    }
  }
}

/** One record of the large zone and its serial, written in place: nothing else of the file changes. */
export function millionChange(port: number, file: string, text: { serialAt: number; stampAt: number }): Change {
  return {
    what: 'one record of a zone of 1 M records',
    make: (index) => {
      const fd = openSync(file, 'r+')
      writeSync(fd, String(100 + index), text.serialAt)
      writeSync(fd, String(100 + index), text.stampAt)
      closeSync(fd)
    },
    isSeen: async (index) => (await addressOf(port, `stamp.${MILLION_ZONE}`)) === `10.9.2.${100 + index}`
  }
}

/** The address in the last record of an answer for A; undefined without an answer. */
async function addressOf(port: number, name: string): Promise<string | undefined> {
  const reply = await ask(port, queryPacket(name))
  if (reply === undefined || reply[7] === 0) return undefined
  const at = queryPacket(name).length + 12
  return reply.subarray(at, at + 4).join('.')
}

const PATIENCE_MS = 500

async function ask(port: number, query: Buffer): Promise<Buffer | undefined> {
  const socket = createSocket('udp4')
  try {
    const reply = new Promise<Buffer>((resolve) => socket.once('message', resolve))
    socket.on('error', () => undefined)
    socket.send(query, port, '127.0.0.1')
    return await Promise.race([reply, sleep(PATIENCE_MS, undefined, { ref: false })])
  } finally {
    socket.close()
  }
}
