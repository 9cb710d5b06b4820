import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { nearcastUnderAttack, receiveDrops } from './attack-servers.ts'
import { flood, makeRandom, option, queryPacket } from './flood.ts'
import { refuseUnknown, type BenchOptions } from './options.ts'
import { cpuMicroseconds, median, table } from './processes.ts'

// What a packet that nobody should send costs beside a good query: CPU per packet received, class by class in turn within each
// round, so that whatever else the machine does falls on all alike.

const PORT = 13900
const RATE = 30_000
const ZONE = 'attack.test'
const PACKETS = 256

const random = makeRandom(11)
const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random() & 255))
const many = (make: (index: number) => Buffer): string[] => Array.from({ length: PACKETS }, (_, index) => make(index).toString('hex'))
const good = (index: number): Buffer => queryPacket(`www.${ZONE}`, { id: index, options: Buffer.alloc(0) })
const subnet = (...octets: number[]): Buffer => option(8, Buffer.from(octets))

/** The good query first: all others are told as ratios to it. */
const CLASSES: Readonly<Record<string, (index: number) => Buffer>> = {
  'good query, with EDNS': good,
  'name that is not there': (index) => queryPacket(`${random().toString(36)}.${ZONE}`, { id: index, options: Buffer.alloc(0) }),
  'empty datagram': () => Buffer.alloc(0),
  'short packet': (index) => good(index).subarray(0, 1 + (random() % 11)),
  'header alone': (index) => good(index).subarray(0, 12),
  'response': (index) => {
    const packet = good(index)
    packet[2]! |= 0x80
    return packet
  },
  'unknown opcode': (index) => queryPacket(`www.${ZONE}`, { id: index, opcode: 6 + (index % 9) }),
  'UPDATE from nobody': (index) => queryPacket(ZONE, { id: index, type: 6, opcode: 5 }),
  'NOTIFY from nobody': (index) => queryPacket(ZONE, { id: index, type: 6, opcode: 4 }),
  'AXFR over UDP': (index) => queryPacket(ZONE, { id: index, type: 252 }),
  'two questions': (index) => {
    const packet = Buffer.concat([queryPacket(`www.${ZONE}`, { id: index }), queryPacket(`ns1.${ZONE}`).subarray(12)])
    packet[5] = 2
    return packet
  },
  'name cut off': (index) => good(index).subarray(0, 14 + (random() % 10)),
  'compression loop': (index) => Buffer.concat([queryPacket('', { id: index }).subarray(0, 12), Buffer.of(0xc0, 12, 0, 1, 0, 1)]),
  'label of 255': (index) => Buffer.concat([queryPacket('', { id: index }).subarray(0, 12), Buffer.of(255), noise(300)]),
  'name of 127 labels': (index) => queryPacket(`${'a.'.repeat(115)}${ZONE}`, { id: index, options: Buffer.alloc(0) }),
  'name of another zone': (index) => queryPacket(`${random().toString(36)}.example`, { id: index, options: Buffer.alloc(0) }),
  'ECS garbage': (index) => queryPacket(`www.${ZONE}`, { id: index, options: option(8, noise(random() % 24)) }),
  'ECS with bits past its prefix': (index) => queryPacket(`www.${ZONE}`, { id: index, options: subnet(0, 1, 20, 0, 192, 0, 255) }),
  '350 options': (index) => queryPacket(`www.${ZONE}`, { id: index, options: Buffer.concat(Array.from({ length: 350 }, () => option(65001, Buffer.alloc(0)))) }),
  'cookie of a wrong length': (index) => queryPacket(`www.${ZONE}`, { id: index, options: option(10, noise(13)) }),
  'cookie that is forged': (index) => queryPacket(`www.${ZONE}`, { id: index, options: option(10, Buffer.concat([noise(8), Buffer.of(1, 0, 0, 0), noise(12)])) }),
  'EDNS version 7': (index) => queryPacket(`www.${ZONE}`, { id: index, options: Buffer.alloc(0), version: 7 }),
  'OPT cut off': (index) => good(index).subarray(0, -6),
  'class NONE': (index) => queryPacket(`www.${ZONE}`, { id: index, class: 254 }),
  'TSIG of nobody': (index) => signedByNobody(index),
  'noise': () => noise(20 + (random() % 480)),
  'noise behind a header': (index) => Buffer.concat([good(index).subarray(0, 12), noise(20 + (random() % 200))])
}

function signedByNobody(id: number): Buffer {
  const packet = queryPacket(`www.${ZONE}`, { id })
  packet[11] = 1
  const name = queryPacket(`k${random() % 1000}`).subarray(12, -4)
  const algorithm = queryPacket('hmac-sha256').subarray(12, -4)
  const rest = Buffer.concat([noise(6), Buffer.of(1, 44, 0, 32), noise(32), Buffer.of(id >> 8, id & 255, 0, 0, 0, 0)])
  const length = algorithm.length + rest.length
  return Buffer.concat([packet, name, Buffer.of(0, 250, 0, 255, 0, 0, 0, 0, length >> 8, length & 255), algorithm, rest])
}

export async function benchHostile({ rounds, seconds, rate = RATE, only }: BenchOptions): Promise<void> {
  refuseUnknown(only, Object.keys(CLASSES), 'kind of packet')
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-bench-'))
  const names = Object.keys(CLASSES).filter((name, index) => index === 0 || only.length === 0 || only.some((part) => name.includes(part)))
  const load = names.map((name) => ({ name, packets: many(CLASSES[name]!), costs: [] as number[], answered: 0, dropped: 0 }))
  const server = await nearcastUnderAttack.start(folder, PORT, { isLimited: false })
  const offer = (packets: readonly string[], length: number) => flood({ port: PORT, seconds: length, rate, sources: ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'], packets })
  try {
    process.stdout.write(`${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s a class at ${rate} packets a second; CPU is user and system time of every thread of the server\n\n`)
    for (const { packets } of load) await offer(packets, 0.3)
    for (let round = 0; round < rounds; round++) {
      for (const entry of load) {
        const [before, drops] = [cpuMicroseconds(server.pids()), receiveDrops(PORT)]
        const { sent, answered } = await offer(entry.packets, seconds)
        await sleep(50)
        entry.dropped += receiveDrops(PORT) - drops
        entry.costs.push((cpuMicroseconds(server.pids()) - before) / Math.max(1, sent - (receiveDrops(PORT) - drops)))
        entry.answered = answered / Math.max(1, sent)
      }
    }
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  const base = median(load[0]!.costs)
  const rows = load.map(({ name, costs, answered, dropped }) => [name, median(costs).toFixed(2), (median(costs) / base).toFixed(2), `${(answered * 100).toFixed(0)} %`, String(dropped)])
  process.stdout.write(`${table([['what is sent', 'µs CPU', 'x good query', 'answered', 'dropped'], ...rows])}\n`)
}
