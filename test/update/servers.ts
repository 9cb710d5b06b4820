import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { packageRoot } from '../../cli/folders.ts'
import { parseKeys, readMessage, signRequest, type Message, type TsigKey } from '../../daemon/wire/index.ts'
import type { PlainRecord } from '../../daemon/zone/index.ts'
import { wire } from './messages.ts'

// Real servers that take dynamic updates signed with one key, and a client that sends them octet by octet.

const PATH = `${process.env['PATH']}:/usr/sbin:/sbin`
export const KEY_TEXT = 'key "all" { algorithm hmac-sha256; secret "c2VjcmV0LW9mLXRoZS10ZXN0cy1mb3ItdXBkYXRlcyE="; };\n'
export const KEY: TsigKey = [...parseKeys('keys', KEY_TEXT).keys.values()][0]!

/** Whether a program is there. */
export const hasProgram = (name: string): boolean => spawnSync('sh', ['-c', `command -v ${name}`], { env: { ...process.env, PATH } }).status === 0

export interface Server {
  readonly port: number
  readonly child: ChildProcess
  log(): string
  /** Ends it; with SIGKILL at once. */
  end(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

export type Launch = (folder: string, origins: readonly string[], port: number) => readonly string[]

/** Command lines of servers; zone files lie in `folder/zones` as `ORIGINzone`. */
export const LAUNCH: Readonly<Record<'named' | 'knotd' | 'nearcast', Launch>> = {
  named: (folder, origins, port) => {
    writeFileSync(
      join(folder, 'named.conf'),
      `${KEY_TEXT}options { directory "${folder}/zones"; pid-file "${folder}/named.pid"; session-keyfile "${folder}/session.key"; lock-file none; managed-keys-directory "${folder}";
       listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; notify no; dnssec-validation no; empty-zones-enable no; check-names primary ignore; check-integrity no;
       zone-statistics none; update-quota 1000; allow-transfer { any; }; }; controls { }; logging { channel e { stderr; severity info; }; category default { e; }; };
       ${origins.map((origin) => `zone "${origin}" { type primary; file "${origin}zone"; allow-update { key all; }; };`).join('\n')}\n`
    )
    return ['named', '-g', '-4', '-n', '1', '-U', '1', '-c', join(folder, 'named.conf')]
  },
  knotd: (folder, origins, port) => {
    writeFileSync(
      join(folder, 'knot.conf'),
      [
        'server:', `    listen: 127.0.0.1@${port}`, `    rundir: "${folder}"`, '    udp-workers: 1', '    tcp-workers: 1', '    background-workers: 1', 'log:', '  - target: stderr', '    any: info',
        'database:', `    storage: "${folder}"`, 'key:', '  - id: all', '    algorithm: hmac-sha256', `    secret: ${/secret "([^"]+)/.exec(KEY_TEXT)![1]}`,
        'acl:', '  - id: change', '    key: all', '    action: update', '  - id: copy', '    action: transfer', 'template:', '  - id: default', `    storage: "${folder}/zones"`,
        '    zonefile-sync: -1', '    zonefile-load: whole', '    journal-content: changes', '    semantic-checks: off', '    adjust-threads: 1', '    acl: [change, copy]', 'zone:',
        ...origins.flatMap((origin) => [`  - domain: "${origin}"`, `    file: "${origin}zone"`])
      ].join('\n')
    )
    return ['knotd', '-c', join(folder, 'knot.conf')]
  },
  nearcast: (folder, origins, port) => {
    writeFileSync(join(folder, 'keys'), KEY_TEXT)
    const zones = origins.map((origin) => `  ${origin}: { allow-update: [{ key: all, types: [ANY] }] }`)
    writeFileSync(join(folder, 'nearcast.yaml'), `keys: [keys]\ndns: { threads: 1 }\nzones:\n${zones.join('\n')}\n`)
    return [process.execPath, join(packageRoot, 'bin/nearcast.js'), 'dns', '--zones', join(folder, 'zones'), '--config', join(folder, 'nearcast.yaml'), '--state', join(folder, 'state'), '--port', String(port), '--listen', '127.0.0.1', '--lab']
  }
}

/** Puts the zone files there, by origin with its final dot, and starts the server. */
export async function startServer(launch: Launch, folder: string, files: ReadonlyMap<string, string>, port: number): Promise<Server> {
  mkdirSync(join(folder, 'zones'), { recursive: true })
  for (const [origin, text] of files) writeFileSync(join(folder, 'zones', `${origin}zone`), text)
  return runServer(launch, folder, [...files.keys()], port)
}

/** Starts a server over the files that are there. */
export async function runServer(launch: Launch, folder: string, origins: readonly string[], port: number): Promise<Server> {
  const [command, ...words] = launch(folder, origins, port) as [string, ...string[]]
  const log = openSync(join(folder, 'log'), 'a')
  const child = spawn(command, words, { stdio: ['ignore', log, log], env: { ...process.env, PATH } })
  const ended = once(child, 'exit')
  const server: Server = {
    port,
    child,
    log: () => readFileSync(join(folder, 'log'), 'utf8'),
    end: async (signal = 'SIGTERM') => {
      child.kill(signal)
      const late = setTimeout(() => child.kill('SIGKILL'), 5000)
      await ended
      clearTimeout(late)
    }
  }
  for (let tries = 0; tries < 1600; tries++) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${command} ended: ${server.log().slice(-2000)}`)
    const soa = await exchange(port, query(origins[0]!, 6)).catch(() => undefined)
    if (soa !== undefined && soa[0]!.rcode === 0 && soa[0]!.answers.length > 0) return server
    await sleep(25)
  }
  await server.end('SIGKILL')
  throw new Error(`${command} does not come up: ${server.log().slice(-2000)}`)
}

function query(zone: string, type: number): Uint8Array {
  return new Uint8Array(Buffer.concat([Uint8Array.of(0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0), wire(zone), Uint8Array.of(type >>> 8, type, 0, 1)]))
}

/** Sends a message over TCP; all that is answered until it is complete: one message, or a transfer. */
async function exchange(port: number, message: Uint8Array): Promise<Message[]> {
  const socket = createConnection({ port, host: '127.0.0.1' })
  socket.setTimeout(5000, () => socket.destroy(new Error('no answer')))
  const isTransfer = message.at(-3) === 252
  const answers: Message[] = []
  let soas = 0
  let rest: Buffer = Buffer.alloc(0)
  try {
    socket.write(Buffer.concat([Uint8Array.of(message.length >>> 8, message.length), message]))
    for await (const chunk of socket) {
      rest = Buffer.concat([rest, chunk as Buffer])
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE()) {
        const answer = readMessage(new Uint8Array(rest.subarray(2, 2 + rest.readUInt16BE())))!
        rest = rest.subarray(2 + rest.readUInt16BE())
        answers.push(answer)
        soas += answer.answers.filter(({ type }) => type === 6).length
        if (!isTransfer || answer.rcode !== 0 || soas === 2) return answers
      }
    }
    throw new Error('the connection was closed')
  } finally {
    socket.destroy()
  }
}

/** Sends an UPDATE message; its rcode. */
export async function sendUpdate({ port }: Server, message: Uint8Array, key: TsigKey | undefined = KEY): Promise<number> {
  const now = Math.floor(new Date().getTime() / 1000)
  const [answer] = await exchange(port, key === undefined ? message : signRequest(message, key, now).message)
  return answer!.rcode
}

/** All records of a zone, by a transfer. */
export async function transferOf({ port }: Server, zone: string): Promise<PlainRecord[]> {
  const records = (await exchange(port, query(zone, 252))).flatMap(({ answers }) => answers)
  return records.slice(0, -1)
}
