import { execFileSync } from 'node:child_process'
import { openSync, read, writeSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { native } from '../../core/native.ts'
import { openRoundTrip } from '../../edge/viewers/round-trip.ts'

// Prints the round trip of one connection, as the kernel has it at its acceptance; `none` where it cannot be asked. With a
// number of milliseconds the connection goes through a tunnel that holds every packet back for so long, in a network
// namespace that this program must be alone in.

const [delay] = process.argv.slice(2)
const IFF_TUN_NO_PI = 0x1001
const TUNSETIFF = 0x400454ca
const HERE = '10.9.0.1'
const MIRROR = '10.9.0.2'

/** A tunnel that sends back what comes out of it, source and destination exchanged: who connects to the mirror meets himself. */
function openMirror(delayMs: number): void {
  const tunnel = openSync('/dev/net/tun', 'r+')
  const request = Buffer.alloc(40)
  request.write('mirror')
  request.writeUInt16LE(IFF_TUN_NO_PI, 16)
  const ioctl = native()!.call('int ioctl(int, unsigned long, void *)')
  if (ioctl(tunnel, TUNSETIFF, request) !== 0) throw new Error('there is no tunnel')
  for (const words of [['addr', 'add', `${HERE}/24`, 'dev', 'mirror'], ['link', 'set', 'mirror', 'up']]) execFileSync('ip', words)
  const next = (): void => {
    const packet = Buffer.alloc(2048)
    read(tunnel, packet, 0, packet.length, null, (error, length) => {
      if (error !== null) return
      // IPv4 alone; the checksums stay true, for they are sums.
      if (packet[0]! >>> 4 === 4) {
        const source = Buffer.from(packet.subarray(12, 16))
        packet.copyWithin(12, 16, 20)
        source.copy(packet, 16)
        setTimeout(() => writeSync(tunnel, packet, 0, length), delayMs)
      }
      next()
    })
  }
  next()
}

if (delay !== undefined) openMirror(Number(delay))
const roundTrip = openRoundTrip()
const server = createServer({ pauseOnConnect: true }, (socket) => {
  process.stdout.write(`${roundTrip?.(socket) ?? 'none'}\n`, () => process.exit(0))
})
server.listen(0, delay === undefined ? '127.0.0.1' : HERE, () => {
  connect((server.address() as AddressInfo).port, delay === undefined ? '127.0.0.1' : MIRROR).on('error', () => undefined)
})
