import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../journey/fleet.ts'

// What the kernel says of a connection that has just been accepted; with a delay put in its way, where this machine lets us.

const child = join(root, 'build/test/latency/one-connection.js')
const DELAY_MS = 20
const isLinux = process.platform === 'linux'
const run = (program: string, ...words: string[]): string => execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 })

/** Why no delay can be made here; undefined when it can. It takes a network namespace, a tunnel and the program ip. */
function whyNot(): string | undefined {
  if (!isLinux) return 'this is not Linux'
  try {
    run('unshare', '-rn', 'sh', '-c', 'ip tuntap add dev mirror mode tun && test -w /dev/net/tun')
    return undefined
  } catch (error) {
    return `no delay can be made here: ${(error instanceof Error ? error.message : String(error)).trim().split('\n').at(-1)}`
  }
}

t.test('of a connection on this machine', { skip: isLinux ? false : 'this is not Linux' }, async (t) => {
  const ms = Number(run(process.execPath, child))
  t.ok(ms > 0 && ms < 4000, `${ms} ms`)
})

t.test('of a connection through a tunnel that holds packets back', { skip: whyNot() ?? false }, async (t) => {
  let ms = Number.NaN
  // Of a handshake that had to be repeated the kernel knows no round trip: that may happen where all is slow.
  for (let attempt = 0; attempt < 10 && Number.isNaN(ms); attempt++) ms = Number(run('unshare', '-rn', process.execPath, child, String(DELAY_MS)))
  t.ok(ms >= 2 * DELAY_MS && ms < 4000, `${ms} ms, with ${DELAY_MS} ms each way`)
})
