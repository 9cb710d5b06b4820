import type { Responder, TcpLimits } from '../../daemon/serve/index.ts'

/** What the stand-in responder answers from: it sends each query back with QR set and this octet in the place of RCODE's. */
export interface StandInWorld {
  readonly mark: number
}

/** A responder for tests of the sockets alone. Queries beginning with 0xdead make it throw, with 0xdeaf it says nothing, and 0xdeb0 hangs; 0xaaXX are handed over, and where they cannot be, sent back with mark 2. */
export function openResponder(_data: unknown, first: unknown): Responder {
  let { mark } = first as StandInWorld
  let decline = (): number => 0
  return {
    use: (world) => ({ mark } = world as StandInWorld),
    decline: () => decline(),
    answer(query, start, length, source, _transport, out, outStart, outSize) {
      const id = (query[start]! << 8) | query[start + 1]!
      if (id >>> 8 === 0xaa) {
        decline = () => {
          out.set(query.subarray(start, start + 12), outStart)
          out[outStart + 3] = 2
          return 12
        }
        return -1
      }
      if (id === 0xdead) throw new Error('asked to')
      if (id === 0xdeaf) return 0
      if (id === 0xdeb0) for (;;);
      // 0xbbXX: an answer of XX * 256 octets, as far as there is room.
      const wanted = id >>> 8 === 0xbb ? Math.min(outSize, (id & 0xff) << 8) : Math.min(outSize, length)
      out.fill(0, outStart, outStart + wanted)
      out.set(query.subarray(start, start + Math.min(length, wanted)), outStart)
      out[outStart + 2]! |= 0x80
      out[outStart + 3] = mark
      // The address of the client, for the tests to see, in the last octet of the message.
      out[outStart + wanted - 1] = source.bytes[source.at + (source.family === 4 ? 3 : 15)]!
      return wanted
    }
  }
}

/** Limits that no test runs into unless it changes them. */
export const TCP_LIMITS: TcpLimits = {
  clients: 200, clientsPerAddress: 100, clientsPerNetwork: 150, ipv4Prefix: 24, ipv6Prefix: 56, exempt: [], idleMs: 30_000, transferMs: 30_000, lifetimeMs: 60_000
}

/** By what the tests of TCP are served; see tcp-net.test.ts. */
export const through: { backend: 'auto' | 'dgram' } = { backend: 'auto' }
