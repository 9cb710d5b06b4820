import { setTimeout as sleep } from 'node:timers/promises'
import { makeRandom, type Random } from '../helpers/random.ts'
import { makeClient, type Speech } from './edge-client.ts'
import { mountSmall, purger, troubleDisks, type DiskFaults } from './edge-faults.ts'
import { startSoakOrigin, type Mood, type SoakOrigin } from './edge-origin.ts'
import { startMembers, type Members } from './edge-members.ts'

// Three tiers under load while members are killed and started again, their disks are full or fail, what they hold is purged and their
// origins fail: whatever is answered as whole must be whole, be what was asked for, and be of one edition, whether a part of it, coded
// or found unchanged, over HTTP/1.1, TLS and HTTP/2; and memory must stay as it is.

export interface EdgeSoakOptions {
  readonly minutes: number
  readonly folder: string
  readonly port: number
  readonly seed: number
  readonly clients: number
  readonly say: (line: string) => void
}

export interface EdgeTally extends DiskFaults {
  /** Answers that were whole and right. */
  right: number
  /** Refused with an error of a cache or of an origin, and cut off: both are allowed while things are killed. */
  refused: number
  broken: number
  /** Octets that were not those asked for. */
  wrong: string[]
  kills: number
  moods: number
}

const PATHS = 400
const SPEECHES: readonly Speech[] = ['http', 'http', 'http', 'tls', 'tls', 'http2']
/** Kilobytes that the edge may grow by once it is warm. */
const MOST_GROWTH_KB = 48 << 10
const WARM_SHARE = 0.4
/** All that has been killed is back by then, and answers. */
const HEALED_MS = 30_000

export async function soakEdge(options: EdgeSoakOptions): Promise<{ readonly tally: EdgeTally; readonly faults: readonly string[] }> {
  const { minutes, folder, port, seed, clients, say } = options
  const random = makeRandom(seed)
  const now = (): number => performance.now()
  const origins = [await startSoakOrigin(port + 1, random, now), await startSoakOrigin(port + 2, random, now)]
  const unmount = mountSmall(folder)
  const members = await startMembers({ port, secure: port + 3, origin: port + 1, folder })
  const tally: EdgeTally = { right: 0, refused: 0, broken: 0, wrong: [], kills: 0, moods: 0, full: 0, failing: 0 }
  const until = now() + minutes * 60_000
  const isOver = (): boolean => now() >= until
  const memory: number[] = []
  try {
    const load = Array.from({ length: clients }, (_, number) => client(members.edges[number % members.edges.length]!, { speech: SPEECHES[number % SPEECHES.length]!, port, random, tally, isOver }))
    const watching = setInterval(() => memory.push(members.memory()), 500)
    const trouble = Promise.all([killer(members, random, tally, isOver), spoiler(origins, random, tally, isOver), purger(members, PATHS, random, isOver), troubleDisks({ folder, isSmall: unmount !== undefined, members, random, isOver, done: tally })])
    await Promise.all([...load, trouble])
    clearInterval(watching)
    for (const origin of origins) origin.mood = 'well'
    const faults = [...faultsOf(tally, memory, say), ...(await healed(members, port))]
    say(`${tally.right} right, ${tally.refused} refused, ${tally.broken} cut off, ${tally.wrong.length} wrong; ${tally.kills} members killed, ${tally.moods} times an origin failed, ${tally.full} times the disk was full, ${tally.failing} times one failed; ${origins.map(({ asked }) => asked).join(' and ')} requests at the origins`)
    return { tally, faults }
  } finally {
    await members.stop()
    for (const origin of origins) await origin.close()
    unmount?.()
  }
}

function faultsOf(tally: EdgeTally, memory: readonly number[], say: (line: string) => void): string[] {
  const warm = memory.slice(Math.floor(memory.length * WARM_SHARE))
  const half = warm.length >> 1
  const mean = (part: readonly number[]): number => part.reduce((sum, each) => sum + each, 0) / Math.max(1, part.length)
  const growth = mean(warm.slice(half)) - mean(warm.slice(0, half))
  say(`the edge that lived on: ${Math.round((memory[0] ?? 0) / 1024)} MiB at first, ${Math.round((warm[0] ?? 0) / 1024)} MiB when warm, ${Math.round((memory.at(-1) ?? 0) / 1024)} MiB in the end`)
  return [...tally.wrong.slice(0, 10), ...(growth > MOST_GROWTH_KB ? [`memory grew by ${Math.round(growth / 1024)} MiB`] : []), ...(tally.right === 0 ? ['nothing was answered'] : [])]
}

/** Kills one member after the other, sometimes two at once, and starts each again a moment later. */
async function killer(members: Members, random: Random, tally: EdgeTally, isOver: () => boolean): Promise<void> {
  const back: Promise<void>[] = []
  while (!isOver()) {
    await sleep(300 + random.below(900))
    const name = random.pick(members.mortal)
    if (!members.isReady(name)) continue
    tally.kills++
    members.kill(name)
    back.push(revive(members, name, 100 + random.below(2000)))
  }
  await Promise.all(back)
}

async function revive(members: Members, name: string, afterMs: number): Promise<void> {
  await sleep(afterMs)
  while (members.isAlive(name)) await sleep(20)
  await members.start(name)
}

async function spoiler(origins: readonly SoakOrigin[], random: Random, tally: EdgeTally, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await sleep(500 + random.below(1500))
    const origin = random.pick(origins)
    origin.mood = origin.mood === 'well' ? random.pick<Mood>(['failing', 'breaking', 'silent']) : 'well'
    if (origin.mood !== 'well') tally.moods++
  }
}

/** Asks on and on over one connection, and looks at all it is given. */
async function client(address: string, { speech, port, random, tally, isOver }: { speech: Speech; port: number; random: Random; tally: EdgeTally; isOver: () => boolean }): Promise<void> {
  const client = makeClient(speech, address, speech === 'http' ? port : port + 3)
  while (!isOver()) {
    const path = `/${Math.floor(PATHS * (random.below(1 << 20) / (1 << 20)) ** 2)}${random.percent(5) ? '-private' : ''}`
    const result = await client.ask(path, random)
    if (result === 'right') tally.right++
    else if (result === 'broken') tally.broken++
    else if (result === 'refused') tally.refused++
    else tally.wrong.push(`${speech} ${result}`)
    if (result === 'broken') await sleep(20)
  }
  client.close()
}

/** Once nothing is killed any more, every edge answers everything again. */
async function healed(members: Members, port: number): Promise<string[]> {
  const faults: string[] = []
  for (const address of members.edges) {
    for (const path of ['/1', '/37', '/healed']) {
      let last = ''
      for (const until = performance.now() + HEALED_MS; performance.now() < until && last !== 'right'; ) {
        const client = makeClient('http', address, port)
        last = await client.ask(path)
        client.close()
        if (last !== 'right') await sleep(100)
      }
      if (last !== 'right') faults.push(`${address} does not answer ${path} any more: ${last}`)
    }
  }
  return faults
}
