import { DiskTier } from '../edge/store/index.ts'

// Fills a disk tier, or opens one and says what that took. Arguments: `fill` or `open`, its folder, objects, octets of each.

export interface DiskFigures {
  readonly held: number
  /** Growth of resident memory by opening it. */
  readonly rss: number
  readonly openMs: number
  readonly openCpuMs: number
  /** Of a read, in the order of no order. */
  readonly readNs: number
}

const LIMIT = 4 * 2 ** 30
const READS = 20_000

const [what, folder] = process.argv.slice(2) as [string, string]
const [objects, size] = process.argv.slice(4).map(Number) as [number, number]
const keyOf = (at: number): string => `www origin.example.org /images/2026/11/${at.toString(36)}.jpg`

function settled(): number {
  for (let round = 0; round < 4; round++) globalThis.gc!()
  return process.memoryUsage().rss
}

async function fill(): Promise<void> {
  const disk = new DiskTier({ folder, limit: LIMIT, say: (text) => process.stderr.write(`${text}\n`) })
  const record = Buffer.alloc(size, 'record')
  for (let at = 0; at < objects; at++) {
    disk.write(keyOf(at), [record])
    if (at % 10_000 === 0) await disk.written()
  }
  await disk.written()
  await disk.close()
}

async function open(): Promise<void> {
  const before = settled()
  const [cpu, from] = [process.cpuUsage(), performance.now()]
  const disk = new DiskTier({ folder, limit: LIMIT, say: (text) => process.stderr.write(`${text}\n`) })
  const openMs = performance.now() - from
  const { user, system } = process.cpuUsage(cpu)
  const rss = settled() - before
  const reading = performance.now()
  for (let at = 0; at < READS; at++) if ((await disk.read(keyOf(Math.imul(at, 7919) % objects)))?.length !== size) throw new Error('what was written is not there')
  const readNs = ((performance.now() - reading) * 1e6) / READS
  process.send!({ held: disk.count, rss, openMs, openCpuMs: (user + system) / 1e3, readNs } satisfies DiskFigures)
  await disk.close()
}

await (what === 'fill' ? fill() : open())
