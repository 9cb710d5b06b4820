import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import { readMessage } from '../helpers/message.ts'
import type { Random } from '../helpers/random.ts'
import { readPackets } from '../fuzz/corpus.ts'
import { mutatePacket } from '../fuzz/mutate.ts'
import { makeQuestion, type Editions, type Question } from './questions.ts'
import { EARNEST, HOSTILE, NETWORKS, ZONE } from './server.ts'

// The load: who asks in earnest and checks every answer, and who does not.

export interface Tally {
  asked: number
  answered: number
  /** Not answered within five seconds. */
  lost: number
  wrong: number
  tcpAsked: number
  tcpAnswered: number
  /** Connections that were closed before the last answer, and made anew. */
  tcpAgain: number
  transfers: number
  hostile: number
  hostileAnswered: number
  connections: number
  /** What was wrong, the first few. */
  faults: string[]
}

export const makeTally = (): Tally => ({ asked: 0, answered: 0, lost: 0, wrong: 0, tcpAsked: 0, tcpAnswered: 0, tcpAgain: 0, transfers: 0, hostile: 0, hostileAnswered: 0, connections: 0, faults: [] })

/** A part of the load. */
export interface Load {
  /** Does what is due after so many more milliseconds. */
  step(milliseconds: number): void
  /** Waits for what is under way, then ends. */
  stop(): Promise<void>
}

export interface LoadOptions {
  readonly port: number
  /** Queries, packets or connections a second. */
  readonly rate: number
  readonly random: Random
  readonly tally: Tally
  readonly now: () => number
  /** Which editions of the zone an answer may be from to what was asked at a time. */
  readonly editions: (asked: number) => Editions
}

const PATIENCE_MS = 5000
/** More than this at a step, and it was this process that was held up, not whoever it waits for. */
const HELD_UP_MS = 500
const SOCKETS = 8

export function wrong(tally: Tally, fault: string): void {
  tally.wrong++
  if (tally.faults.length < 20) tally.faults.push(fault)
}

function judge(question: Question, asked: number, answer: Buffer, isTcp: boolean, { tally, editions }: LoadOptions): void {
  try {
    const fault = question.fault(readMessage(answer), editions(asked), isTcp)
    if (fault !== undefined) wrong(tally, fault)
  } catch (error) {
    wrong(tally, `unreadable: ${(error as Error).message}: ${answer.toString('hex')}`)
  }
}

/** Makes so many things a second of a step in milliseconds. */
function pacer(rate: number): (milliseconds: number) => number {
  let owed = 0
  return (milliseconds) => {
    // Whoever was held up does not make up for all of it at once.
    owed = Math.min(owed + (milliseconds * rate) / 1000, rate / 4 + 1)
    const due = Math.floor(owed)
    owed -= due
    return due
  }
}

/** UDP in earnest: every query must be answered, and rightly. */
export async function earnestUdp(options: LoadOptions): Promise<Load> {
  const { port, rate, random, tally, now } = options
  const due = pacer(rate)
  const open = new Map<number, { question: Question; asked: number; waitedFrom: number }>()
  /** Milliseconds in which answers could be taken in. */
  let waited = 0
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, (_, index) => bound(EARNEST(index))))
  let id = 0
  for (const socket of sockets) {
    socket.on('message', (answer) => {
      const entry = open.get(answer.readUInt16BE())
      if (entry === undefined) return wrong(tally, `an answer to nothing that was asked: ${answer.toString('hex')}`)
      open.delete(answer.readUInt16BE())
      tally.answered++
      judge(entry.question, entry.asked, answer, false, options)
    })
  }
  const giveUp = (before: number): void => {
    for (const [key, { waitedFrom }] of open) {
      if (waitedFrom > before) return
      open.delete(key)
      tally.lost++
    }
  }
  return {
    step: (milliseconds) => {
      waited += Math.min(milliseconds, HELD_UP_MS)
      giveUp(waited - PATIENCE_MS)
      for (let left = due(milliseconds); left > 0 && open.size < 20_000; left--) {
        id = (id + 1) & 0xffff
        const question = makeQuestion(random, id)
        open.set(id, { question, asked: now(), waitedFrom: waited })
        tally.asked++
        sockets[id % SOCKETS]!.send(question.packet, port, '127.0.0.1')
      }
    },
    stop: async () => {
      for (let tries = 0; tries < 100 && open.size > 0; tries++) await new Promise((resolve) => setTimeout(resolve, 50))
      giveUp(Infinity)
      for (const socket of sockets) socket.close()
    }
  }
}

/** TCP in earnest: connections of some pipelined queries each, half of which end their side at once. */
export function earnestTcp(options: LoadOptions): Load {
  const { rate, random, tally, now } = options
  const due = pacer(rate / 10)
  const open = new Set<Promise<void>>()
  const ask = (): Promise<void> => {
    const questions = Array.from({ length: 1 + random.below(20) }, (_, id) => makeQuestion(random, id))
    const asked = now()
    const halves = random.percent(50)
    tally.tcpAsked += questions.length
    return insist(options, questions.map(({ packet }) => packet), halves, questions.length).then((answers) => {
      tally.tcpAnswered += answers.length
      for (const [index, answer] of answers.entries()) {
        if (answer.readUInt16BE() === index) judge(questions[index]!, asked, answer, true, options)
        else wrong(tally, `answer ${answer.readUInt16BE()} over TCP in the place of ${index}`)
      }
    })
  }
  return {
    step: (milliseconds) => {
      for (let left = due(milliseconds); left > 0 && open.size < 40; left--) {
        const asking = ask()
        open.add(asking)
        void asking.then(() => open.delete(asking))
      }
    },
    stop: async () => void (await Promise.all(open))
  }
}

/** A transfer of the zone now and then: from SOA to SOA, and of an edition that may be. */
export function transfers(options: LoadOptions): Load {
  const { rate, tally, now } = options
  const due = pacer(rate)
  const open = new Set<Promise<void>>()
  const name = Buffer.concat(ZONE.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)])))
  const query = Buffer.concat([Buffer.of(0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0), name, Buffer.of(0, 0, 252, 0, 1)])
  const transfer = async (): Promise<void> => {
    const asked = now()
    const messages = (await insist(options, [query], false, 1)).map((message) => readMessage(message))
    const records = messages.flatMap(({ answer }) => answer)
    const serial = Number(`0x${records[0]?.data.slice(-40, -32) ?? '0'}`)
    const { oldest, newest } = options.editions(asked)
    tally.transfers++
    if (records[0]?.type !== 6 || serial < oldest || serial > newest) wrong(tally, `a transfer of ${records.length} records, serial ${serial} of ${oldest} to ${newest}`)
  }
  return {
    step: (milliseconds) => {
      for (let left = due(milliseconds); left > 0 && open.size < 4; left--) {
        const one = transfer()
        open.add(one)
        void one.then(() => open.delete(one))
      }
    },
    stop: async () => void (await Promise.all(open))
  }
}

/** Asks again, from another network, where a connection is closed too early, as clients must be ready to (RFC 7766 §6.2.4). */
async function insist({ port, random, tally }: LoadOptions, messages: readonly Buffer[], halves: boolean, wanted: number): Promise<Buffer[]> {
  for (let tries = 0; ; tries++) {
    const answers = await converse(port, EARNEST(random.below(NETWORKS)), messages, halves, wanted)
    if (answers.length >= wanted || tries === 3) return answers
    tally.tcpAgain++
  }
}

/** Sends messages over a connection of its own; the answers that came, `wanted` or as many as came within a while. */
function converse(port: number, localAddress: string, messages: readonly Buffer[], halves: boolean, wanted: number): Promise<Buffer[]> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    const answers: Buffer[] = []
    let rest = Buffer.alloc(0)
    const settle = (): void => {
      clearTimeout(limit)
      socket.destroy()
      resolve(answers)
    }
    // What has come while this process was held up is taken in first.
    const limit = setTimeout(() => setImmediate(settle), PATIENCE_MS)
    socket.on('error', settle)
    socket.on('close', settle)
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE()) {
        answers.push(rest.subarray(2, 2 + rest.readUInt16BE()))
        rest = rest.subarray(2 + rest.readUInt16BE())
      }
      if (answers.length >= wanted && !halves) settle()
    })
    const stream = Buffer.concat(messages.map((message) => Buffer.concat([Buffer.of(message.length >> 8, message.length & 255), message])))
    if (halves) socket.end(stream)
    else socket.write(stream)
  })
}

/** UDP that nobody should send: changed packets, noise, and one question over and over. Answers must be answers, and not too long. */
export async function hostileUdp({ port, rate, random, tally }: LoadOptions): Promise<Load> {
  const due = pacer(rate)
  const corpus = readPackets()
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, (_, index) => bound(HOSTILE(1 + index))))
  for (const socket of sockets) {
    socket.on('message', (answer) => {
      tally.hostileAnswered++
      if (answer.length < 12 || answer[2]! < 0x80 || answer.length > 1232) wrong(tally, `to hostility: ${answer.toString('hex')}`)
    })
  }
  const flood = makeQuestion(random, 1).packet
  return {
    step: (milliseconds) => {
      for (let left = due(milliseconds); left > 0; left--) {
        tally.hostile++
        const packet = random.percent(50) ? flood : mutatePacket(random, corpus)
        random.pick(sockets).send(packet, port, '127.0.0.1')
      }
    },
    stop: async () => {
      for (const socket of sockets) socket.close()
    }
  }
}

/** TCP that nobody should open: silent, in drips, full of noise, or asking for much and reading nothing. */
export function hostileTcp({ port, rate, random, tally }: LoadOptions): Load {
  const due = pacer(rate)
  const corpus = readPackets()
  const held = new Set<Socket>()
  const name = Buffer.from('\x05large\x04soak\x04test\0\0\x10\0\x01', 'latin1')
  const large = Buffer.concat(Array.from({ length: 1000 }, () => Buffer.concat([Buffer.of(0, 12 + name.length, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0), name])))
  const open = (): void => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: HOSTILE(1 + random.below(200)) })
    tally.connections++
    held.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => held.delete(socket))
    switch (random.below(4)) {
      case 0: socket.resume(); break
      case 1: socket.resume(); socket.write(Buffer.of(1, 0, 7)); break
      case 2: {
        const packet = Buffer.from(mutatePacket(random, corpus))
        socket.resume()
        socket.write(Buffer.concat([Buffer.of(packet.length >> 8, packet.length & 255), packet]))
        break
      }
      default: socket.pause(); socket.write(large)
    }
  }
  return {
    step: (milliseconds) => {
      for (let left = due(milliseconds); left > 0; left--) {
        open()
        const [oldest] = held
        if (held.size > 300) oldest!.destroy()
      }
    },
    stop: async () => {
      for (const socket of held) socket.destroy()
    }
  }
}

function bound(address: string): Promise<UdpSocket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(0, address, () => {
      socket.off('error', reject)
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}
