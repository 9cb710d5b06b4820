import { countryOf } from './peers/places.ts'
import { BENCH_ZONE, memberAddress, memberLabel, MILLION, MILLION_ZONE, ROUTED_NAMES, STATIC_ADDRESS, targetAddress } from './peers/zones.ts'

// What is asked, and what the right answer is. The same in every run.

export type CaseName = 'static' | 'static-subnet' | 'steered' | 'steered-one' | 'nxdomain' | 'million' | 'tcp-one' | 'tcp-many'

export interface Case {
  readonly about: string
  readonly rcode: 'NOERROR' | 'NXDOMAIN'
  /** How many different questions go round. */
  readonly questions: number
  /** TCP connections; absent: UDP. */
  readonly connections?: number
  /** Queries without an answer yet, over all connections. */
  readonly window: number
  /** Queries a second that are offered at most, as a share of what is offered over UDP. */
  readonly share: number
  /** Question number `index`: a name, the client's /24 as a number where one is sent, and the address that is the right answer. */
  question(index: number, random: () => number): Question
}

interface Question {
  readonly name: string
  readonly client?: number
  readonly address: number
}

const plain = (): Question => ({ name: `www.${BENCH_ZONE}`, address: STATIC_ADDRESS })

/** Below what the smallest receive buffer among the servers holds, so that none loses what it never had a chance to read. */
const WINDOW = 128

export const cases: Readonly<Record<CaseName, Case>> = {
  static: { about: 'A of one name, without options', rcode: 'NOERROR', questions: 1, window: WINDOW, share: 1, question: plain },
  steered: {
    about: `A of ${ROUTED_NAMES.toLocaleString('en')} names by country, with EDNS and a random /24 as client subnet each`,
    rcode: 'NOERROR',
    questions: 400_000,
    window: WINDOW,
    share: 1,
    question: (_, random) => {
      const client = randomNetwork(random)
      return { name: `r${random() % ROUTED_NAMES}.${BENCH_ZONE}`, client, address: targetAddress(countryOf(client)) }
    }
  },
  'static-subnet': {
    about: 'A of one static name, with EDNS and a random /24 as client subnet each',
    rcode: 'NOERROR', questions: 400_000, window: WINDOW, share: 1,
    question: (_, random) => ({ ...plain(), client: randomNetwork(random) })
  },
  'steered-one': {
    about: 'A of one name by country, with EDNS and a random /24 as client subnet each',
    rcode: 'NOERROR', questions: 400_000, window: WINDOW, share: 1,
    question: (_, random) => {
      const client = randomNetwork(random)
      return { name: `r0.${BENCH_ZONE}`, client, address: targetAddress(countryOf(client)) }
    }
  },
  nxdomain: {
    about: 'A of names that do not exist, each another',
    rcode: 'NXDOMAIN',
    questions: 400_000,
    window: WINDOW,
    share: 1,
    question: (index) => ({ name: `${memberLabel(index)}.${BENCH_ZONE}`, address: 0 })
  },
  million: {
    about: `A of random names of a zone of ${MILLION.toLocaleString('en')} records`,
    rcode: 'NOERROR',
    questions: 400_000,
    window: WINDOW,
    share: 1,
    question: (_, random) => {
      const member = random() % MILLION
      return { name: `${memberLabel(member)}.${MILLION_ZONE}`, address: memberAddress(member) }
    }
  },
  'tcp-one': { about: 'A of one name over one TCP connection, up to 100 queries in flight', rcode: 'NOERROR', questions: 1, connections: 1, window: 100, share: 0.5, question: plain },
  'tcp-many': { about: 'A of one name over 64 TCP connections, up to 4 queries in flight on each', rcode: 'NOERROR', questions: 1, connections: 64, window: 256, share: 0.5, question: plain }
}

/** Packets, one behind the other. */
export interface Questions {
  readonly count: number
  readonly bytes: Uint8Array
  /** Where each begins in `bytes`; one more at the end. */
  readonly starts: Uint32Array
  /** Where the question of each ends, from its start. */
  readonly questionEnds: Uint16Array
  /** The address in the right answer. */
  readonly addresses: Uint32Array
}

const LONGEST = 96

/** All packets of a case, with the id left open. */
export function layQuestions({ questions: count, question }: Case): Questions {
  const bytes = Buffer.alloc(count * LONGEST)
  const starts = new Uint32Array(count + 1)
  const questionEnds = new Uint16Array(count)
  const addresses = new Uint32Array(count)
  const random = makeRandom(7)
  let at = 0
  for (let index = 0; index < count; index++) {
    const { name, client, address } = question(index, random)
    starts[index] = at
    addresses[index] = address
    bytes[at + 5] = 1
    bytes[at + 11] = client === undefined ? 0 : 1
    let end = at + 12
    for (const label of name.split('.')) {
      bytes[end] = label.length
      end += 1 + bytes.write(label, end + 1, 'latin1')
    }
    end += bytes.write('\0\0\x01\0\x01', end, 'latin1')
    questionEnds[index] = end - at
    if (client !== undefined) end += writeSubnet(bytes, end, client)
    at = end
  }
  starts[count] = at
  return { count, bytes: bytes.subarray(0, at), starts, questionEnds, addresses }
}

/** An OPT record with a payload of 1232 and an IPv4 /24 as client subnet (RFC 6891, RFC 7871); its length. */
function writeSubnet(bytes: Buffer, at: number, client: number): number {
  bytes.set([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, client >>> 16, (client >>> 8) & 255, client & 255], at)
  return 22
}

/** First octets of networks that are somewhere: no special ones among them (RFC 6890). */
const SOMEWHERE = Array.from({ length: 223 }, (_, index) => index + 1).filter((octet) => ![10, 100, 127, 169, 172, 192, 198, 203].includes(octet))

/** The upper 24 bits of a random IPv4 address. */
function randomNetwork(random: () => number): number {
  return (SOMEWHERE[random() % SOMEWHERE.length]! << 16) | (random() & 0xffff)
}

/** The same numbers in every run: xorshift. */
function makeRandom(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}
