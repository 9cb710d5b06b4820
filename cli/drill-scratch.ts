import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createSocket } from 'node:dgram'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../core/clock.ts'
import type { Status } from '../daemon/control/api.ts'
import { openAdmin, Refused } from './admin-client.ts'
import { isSet, type Call } from './command.ts'
import { configFile, packageRoot, zonesFolder } from './folders.ts'

/** A fleet that was started for a drill. */
export interface Scratch {
  /** The call as it would be made of that fleet. */
  readonly call: Call
  /** Ends it, and removes what it wrote. */
  end(): Promise<void>
}

const UP_WITHIN_MS = 90_000

/** Starts a fleet on ports of its own and waits until all its edges are up; or says in one line why there is none. */
export async function startScratch(call: Call): Promise<Scratch | string> {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-drill-'))
  const log = openSync(join(folder, 'log'), 'a', 0o600)
  const words = ['up', '--config', configFile(call).path, '--zones', zonesFolder(call).path, '--state', join(folder, 'state'), '--port', String(await freePort())]
  if (!isSet(call, 'json')) call.io.out('a fleet is started for the drill\n')
  const child = spawn(process.execPath, [join(packageRoot, 'bin/nearcast.js'), ...words], { stdio: ['ignore', log, log], cwd: call.io.cwd })
  const ended = once(child, 'exit')
  const scratch: Scratch = {
    call: { ...call, values: { ...call.values, state: join(folder, 'state') } },
    end: async () => {
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    }
  }
  const until = systemClock.elapsed() + UP_WITHIN_MS
  while (systemClock.elapsed() < until && child.exitCode === null) {
    const admin = openAdmin(scratch.call)
    const status = typeof admin === 'string' ? undefined : await admin.get<Status>('/v1/status')
    if (status !== undefined && !(status instanceof Refused) && status.members.every(({ process, health }) => process === 'running' && (health === undefined || health === 'UP'))) return scratch
    await sleep(200)
  }
  const said = readFileSync(join(folder, 'log'), 'utf8').trim().split('\n').slice(-3).join('\n')
  await scratch.end()
  return `the fleet for the drill did not come up:\n${said}`
}

/** A port on which nobody listens over UDP or TCP now. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const socket = createSocket('udp4')
    const isFree = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(false))
      socket.bind(port, '127.0.0.1', () => resolve(true))
    })
    await Promise.all([new Promise<void>((resolve) => server.close(() => resolve())), new Promise<void>((resolve) => socket.close(() => resolve()))])
    if (isFree) return port
  }
}
