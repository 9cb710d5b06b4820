import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readToolOptions } from '../helpers/tool.ts'
import { soakEdge } from './edge.ts'
import { soak } from './soak.ts'

const values = readToolOptions('soak', 'an hour of all that a server meets at once, and whether it stays as it is', {
  minutes: { value: 'N', about: 'for so long (60)' },
  rate: { value: 'N', about: 'queries a second in earnest over UDP; the rest of the load goes by it (1000)' },
  port: { value: 'N', about: 'where the server listens (13950)' },
  seed: { value: 'N', about: 'the same load again' },
  edge: { about: 'the caches instead: three tiers under load, members killed and started again, origins that fail; 10 minutes, 32 clients unless said otherwise' },
  clients: { value: 'N', about: 'of the caches (32)' }
})
const folder = mkdtempSync(join(tmpdir(), 'nearcast-soak-'))
const [minutes, rate, port] = [Number(values.minutes ?? 60), Number(values.rate ?? 1000), Number(values.port ?? 13950)]
const seed = Number(values.seed ?? Math.floor(performance.timeOrigin) % 2 ** 31)
const say = (line: string): void => void process.stdout.write(`soak: ${line}\n`)
try {
  process.exitCode = await (values.edge === undefined ? soakServer() : soakCaches())
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function soakServer(): Promise<number> {
  say(`${minutes} min at ${rate} queries a second in earnest, seed ${seed}`)
  const { faults, tally } = await soak({ minutes, rate, folder, port, seed, say })
  for (const fault of faults) say(`FAULT: ${fault}`)
  say(`${tally.asked + tally.tcpAsked} queries in earnest, ${tally.lost} lost, ${tally.wrong} wrong; ${tally.hostile} hostile packets (${tally.hostileAnswered} answered), ${tally.connections} hostile connections; ${faults.length === 0 ? 'passed' : 'failed'}`)
  return faults.length === 0 ? 0 : 1
}

async function soakCaches(): Promise<number> {
  const [time, clients] = [Number(values.minutes ?? 10), Number(values.clients ?? 32)]
  say(`${time} min of three tiers with ${clients} clients, seed ${seed}`)
  const { faults } = await soakEdge({ minutes: time, clients, folder, port, seed, say })
  for (const fault of faults) say(`FAULT: ${fault}`)
  say(faults.length === 0 ? 'passed' : 'failed')
  return faults.length === 0 ? 0 : 1
}
