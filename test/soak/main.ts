import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { soak } from './soak.ts'

// npm run soak -- [--minutes 60] [--rate 1000] [--port 13950] [--seed N]

const string = { type: 'string' } as const
const { values } = parseArgs({ options: { minutes: string, rate: string, port: string, seed: string } })
const folder = mkdtempSync(join(tmpdir(), 'nearcast-soak-'))
const [minutes, rate, port] = [Number(values.minutes ?? 60), Number(values.rate ?? 1000), Number(values.port ?? 13950)]
const seed = Number(values.seed ?? Math.floor(performance.timeOrigin) % 2 ** 31)
const say = (line: string): void => void process.stdout.write(`soak: ${line}\n`)
if (![minutes, rate, port, seed].every((number) => number > 0)) throw new Error('--minutes, --rate, --port and --seed are numbers above zero')
say(`${minutes} min at ${rate} queries a second in earnest, seed ${seed}`)
try {
  const { faults, tally } = await soak({ minutes, rate, folder, port, seed, say })
  for (const fault of faults) say(`FAULT: ${fault}`)
  say(`${tally.asked + tally.tcpAsked} queries in earnest, ${tally.lost} lost, ${tally.wrong} wrong; ${tally.hostile} hostile packets (${tally.hostileAnswered} answered), ${tally.connections} hostile connections; ${faults.length === 0 ? 'passed' : 'failed'}`)
  process.exitCode = faults.length === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
