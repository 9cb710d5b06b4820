import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readToolOptions } from '../helpers/tool.ts'
import { soak } from './soak.ts'

const values = readToolOptions('soak', 'an hour of all that a server meets at once, and whether it stays as it is', {
  minutes: { value: 'N', about: 'for so long (60)' },
  rate: { value: 'N', about: 'queries a second in earnest over UDP; the rest of the load goes by it (1000)' },
  port: { value: 'N', about: 'where the server listens (13950)' },
  seed: { value: 'N', about: 'the same load again' }
})
const folder = mkdtempSync(join(tmpdir(), 'nearcast-soak-'))
const [minutes, rate, port] = [Number(values.minutes ?? 60), Number(values.rate ?? 1000), Number(values.port ?? 13950)]
const seed = Number(values.seed ?? Math.floor(performance.timeOrigin) % 2 ** 31)
const say = (line: string): void => void process.stdout.write(`soak: ${line}\n`)
say(`${minutes} min at ${rate} queries a second in earnest, seed ${seed}`)
try {
  const { faults, tally } = await soak({ minutes, rate, folder, port, seed, say })
  for (const fault of faults) say(`FAULT: ${fault}`)
  say(`${tally.asked + tally.tcpAsked} queries in earnest, ${tally.lost} lost, ${tally.wrong} wrong; ${tally.hostile} hostile packets (${tally.hostileAnswered} answered), ${tally.connections} hostile connections; ${faults.length === 0 ? 'passed' : 'failed'}`)
  process.exitCode = faults.length === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
