// Stands in for the programs of a fleet: listens like a worker, and does what its name says when it is to go wrong.
import { createServer } from 'node:net'
import { appendFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { attach, type Channel, type FromProcess, type Setup, type ToProcess } from '../../core/channel.ts'

const verbs: Record<string, (channel: Channel) => void> = {
  crashing: () => setTimeout(() => process.exit(3), 50),
  refusing: () => {
    throw new Error('port 8080 is somebody else\'s')
  }
}

async function run(setup: Setup, channel: Channel): Promise<(message: ToProcess) => void> {
  verbs[setup.name]?.(channel)
  if (setup.role === 'daemon') await admin(setup, channel)
  channel.send({ kind: 'ready', listening: [] })
  return (message) => {
    if (message.kind === 'stop' && setup.name !== 'deaf') process.exit(0)
    if (message.kind === 'fleet') tell(setup.stateFolder, JSON.stringify(message.members))
    if (message.kind === 'reply') answer(message.error)
  }
}

/** The latest in `seen.json`, of which whoever reads it meanwhile sees all of the old text or all of the new; and all so far, a line each, in `told.jsonl`. */
function tell(folder: string, text: string): void {
  appendFileSync(join(folder, 'told.jsonl'), `${text}\n`)
  const path = join(folder, 'seen.json')
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

let answer: (error?: string) => void = () => undefined

/** Binds the DNS port too, and takes requests to the supervisor: a line of JSON each; a line comes back. */
function admin(setup: Setup, channel: Channel): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (line) => {
      answer = (error) => void socket.write(`${error ?? 'done'}\n`)
      channel.send({ kind: 'request', id: 1, ...JSON.parse(line.toString()) } as FromProcess)
    })
  })
  const dns = createServer()
  return new Promise((resolve, reject) => {
    dns.once('error', reject)
    dns.listen(setup.ports.dns, setup.config.dns.listen[0], () => server.listen(setup.ports.admin, '127.0.0.1', () => resolve()))
  })
}

let requests = 0
attach(run, () => ({ requests: (requests += 10), hits: requests / 2, fetches: 0, errors: 0, bytesSent: 0, stored: 0, objects: 0 }))
