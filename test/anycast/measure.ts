import { cpus, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemAfter } from '../../core/clock.ts'
import { openBird, type Bird } from '../../daemon/anycast/bird.ts'
import { anycastEdge, processOf, startPop, writtenAt } from './fleet.ts'
import type { Lab } from './lab.ts'
import { SERVICE } from './map.ts'
import { end, strike, until } from './spaces.ts'
import { askMeanwhile } from './watch.ts'

// How long it takes from a failure until the prefix is gone from the router, and what clients lose until then.

interface Struck {
  readonly what: string
  readonly rounds: number
  readonly prefix: string
  /** Queries for DNS count: only where that is what fails. */
  readonly isAsked: boolean
  readonly signal: 'SIGSTOP' | 'SIGKILL'
  /** The process that is struck, now. */
  find(lab: Lab): Promise<number | undefined>
}

const daemon = (lab: Lab): Promise<number | undefined> => Promise.resolve(writtenAt(lab, 'icn')?.pid)
const CASES: readonly Struck[] = [
  { what: 'the daemon hangs (SIGSTOP)', rounds: 50, prefix: SERVICE.dns.prefix4, isAsked: true, signal: 'SIGSTOP', find: daemon },
  { what: 'the daemon is killed (SIGKILL)', rounds: 50, prefix: SERVICE.dns.prefix4, isAsked: true, signal: 'SIGKILL', find: daemon },
  { what: 'the edge hangs (SIGSTOP)', rounds: 50, prefix: SERVICE.edge.prefix4, isAsked: false, signal: 'SIGSTOP', find: (lab) => processOf(lab, 'icn', anycastEdge('icn')).catch(() => undefined) }
]

const RATE = 200
const PATIENCE_MS = 1000
/** Looks at the router this often. */
const LOOK_MS = 2
/** What has not left the router by then is not waited for, and is counted as such. */
const LONGEST_ROUND_MS = 30_000
/** With every kill the supervisor waits longer before it starts the daemon again: after so many it is started anew itself. */
const KILLS_A_START = 4
/** anycast_healthchecker as it comes: a check every 10 s, the second that fails counts. */
const OTHERS = { everyMs: 10_000, fall: 2 }

interface Round {
  readonly tookMs: number
  /** The time within which queries could be lost, wall times. */
  readonly from: number
  readonly to: number
}

/** @param minutes after which it ends with the rounds that have been played */
export async function measure(lab: Lab, say: (line: string) => void, minutes: number): Promise<void> {
  const began = performance.now()
  const isTime = (): boolean => performance.now() - began < minutes * 60_000
  const load = (): string => loadavg().map((each) => each.toFixed(1)).join(', ')
  const router = await openBird({ socket: lab.socket('r1'), timeoutMs: 10_000, after: systemAfter }, true)
  say(`${cpus().length} cores, load ${load()}\n\n| what happens | rounds | withdrawn on the router: median | worst | queries lost of ${RATE}/s, IPv4 and IPv6: median | worst |\n|---|---|---|---|---|---|`)
  for (const each of CASES) say(await rowOf(lab, router, each, isTime))
  router.close()
  const [least, most] = [OTHERS.everyMs * (OTHERS.fall - 1), OTHERS.everyMs * OTHERS.fall]
  const middle = (least + most) / 2
  say(`| anycast_healthchecker's defaults (10 s, 2 falls), computed | – | ${seconds(middle)} | ${seconds(most)} | ${(middle / 1000) * RATE} | ${(most / 1000) * RATE} |`)
  say(`\nload ${load()} at the end, after ${Math.round((performance.now() - began) / 1000)} s`)
}

async function rowOf(lab: Lab, router: Bird, each: Struck, isTime: () => boolean): Promise<string> {
  const { what, rounds, isAsked } = each
  const asking = isAsked ? askMeanwhile(lab, 'c1', { rate: RATE, patience: PATIENCE_MS }) : undefined
  const done = await playRounds(lab, router, each, isTime)
  const lost = ((await asking?.stop()) ?? []).map(({ lostAt }) => done.map(({ from, to }) => lostAt.filter((at) => at >= from && at < to).length))
  const times = done.map(({ tookMs }) => tookMs)
  const told = (share: number): string => (isAsked ? lost.map((family) => valueAt(family, share)).join(', ') : '–')
  return `| ${what} | ${done.length === rounds ? rounds : `${done.length} of ${rounds}`} | ${seconds(valueAt(times, 0.5))} | ${seconds(valueAt(times, 1))} | ${told(0.5)} | ${told(1)} |`
}

async function playRounds(lab: Lab, router: Bird, each: Struck, isTime: () => boolean): Promise<Round[]> {
  const done: Round[] = []
  let late = 0
  for (let tries = 0; done.length + late < each.rounds && isTime(); tries++) {
    if (each.signal === 'SIGKILL' && tries % KILLS_A_START === 0) await startAgain(lab)
    if (!(await until(() => isBack(lab, router)))) {
      await startAgain(lab)
      continue
    }
    const pid = await each.find(lab)
    // Anywhere between two checks.
    await sleep(Math.random() * 1000)
    const [from, at] = [Date.now(), performance.now()]
    // A daemon that hung for long is started anew by its supervisor: then there is nothing to strike yet.
    if (pid === undefined || !strike(pid, each.signal)) continue
    if (await isGone(router, each.prefix)) done.push({ tookMs: performance.now() - at, from, to: Date.now() + LOOK_MS })
    else late++
    if (each.signal === 'SIGSTOP') strike(pid, 'SIGCONT')
  }
  if (late > 0) process.stderr.write(`${each.what}: in ${late} rounds it was not withdrawn within ${LONGEST_ROUND_MS / 1000} s\n`)
  return done
}

async function startAgain(lab: Lab): Promise<void> {
  const held = lab.processes['icn nearcast']
  if (held !== undefined) await end([held], 30_000)
  startPop(lab, 'icn')
}

/** Everything is announced as at the start, at icn with the shortest path and at the others, and icn knows that they are well. */
async function isBack(lab: Lab, router: Bird): Promise<boolean> {
  const prefixes = Object.values(writtenAt(lab, 'icn')?.prefixes ?? {})
  if (prefixes.length === 0 || !prefixes.every(({ isWell, leases }) => isWell && leases.length === 2 && leases.every((lease) => lease.isWell && !lease.isLeaving))) return false
  for (const prefix of [SERVICE.dns.prefix4, SERVICE.dns.prefix6, SERVICE.edge.prefix4, SERVICE.edge.prefix6]) {
    const family = prefix.includes(':') ? 6 : 4
    for (const [from, length] of [['icn', 1], ['iad', 3], ['r2', 2]] as const) {
      const { lines } = await router.ask(`show route ${prefix} all protocol ${from}_${family}`)
      const path = lines.map(({ text }) => /BGP\.as_path: (.*)/.exec(text)?.[1]).find((found) => found !== undefined)
      if (path?.trim().split(/\s+/).length !== length) return false
    }
  }
  return true
}

/** Whether a prefix has lost its route from icn, once it has; false when it takes too long. */
async function isGone(router: Bird, prefix: string): Promise<boolean> {
  const from = performance.now()
  for (;;) {
    const { lines } = await router.ask(`show route ${prefix} protocol icn_${prefix.includes(':') ? 6 : 4}`)
    if (!lines.some(({ text }) => text.includes('unicast'))) return true
    if (performance.now() - from > LONGEST_ROUND_MS) return false
    await sleep(LOOK_MS)
  }
}

/** The value below which so great a share of them lies. */
const valueAt = (values: readonly number[], share: number): number => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN
const seconds = (ms: number): string => (Number.isNaN(ms) ? '–' : `${(ms / 1000).toFixed(2)} s`)
