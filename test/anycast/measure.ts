import { setTimeout as sleep } from 'node:timers/promises'
import { systemAfter } from '../../core/clock.ts'
import { openBird, type Bird } from '../../daemon/anycast/bird.ts'
import { anycastEdge, processOf } from './fleet.ts'
import type { Lab } from './lab.ts'
import { PREFIXES, SERVICE } from './map.ts'
import { strike, until } from './spaces.ts'
import { askMeanwhile, pathBy } from './watch.ts'

// How long it takes from a failure until the prefix is gone from the router, and what clients lose until then.

interface Struck {
  readonly what: string
  readonly rounds: number
  readonly prefix: string
  /** Asks for DNS meanwhile: only where that is what fails. */
  readonly isAsked: boolean
  /** Whose process it is, and what becomes of it. */
  readonly member: string
  readonly signal: 'SIGSTOP' | 'SIGKILL'
}

const CASES: readonly Struck[] = [
  { what: 'the daemon hangs (SIGSTOP)', rounds: 50, prefix: SERVICE.dns.prefix4, isAsked: true, member: 'daemon', signal: 'SIGSTOP' },
  { what: 'the daemon is killed (SIGKILL)', rounds: 15, prefix: SERVICE.dns.prefix4, isAsked: true, member: 'daemon', signal: 'SIGKILL' },
  { what: 'the edge hangs (SIGSTOP)', rounds: 15, prefix: SERVICE.edge.prefix4, isAsked: false, member: anycastEdge('icn'), signal: 'SIGSTOP' }
]

const RATE = 200
/** Looks at the router this often. */
const LOOK_MS = 2
/** anycast_healthchecker as it comes: a check every 10 s, the second that fails counts. */
const OTHERS = { everyMs: 10_000, fall: 2 }

/** @param share of the rounds that are played */
export async function measure(lab: Lab, say: (line: string) => void, share = 1): Promise<void> {
  const router = await openBird({ socket: lab.socket('r1'), timeoutMs: 10_000, after: systemAfter }, true)
  say('| what happens | rounds | withdrawn on the router: median | worst | queries lost of 200/s, IPv4: median | worst |\n|---|---|---|---|---|---|')
  for (const each of CASES) {
    const times: number[] = []
    const lost: number[] = []
    while (times.length < Math.max(1, Math.round(each.rounds * share))) {
      if (!(await until(() => isBack(lab)))) throw new Error('icn has not come back')
      const asking = each.isAsked ? askMeanwhile(lab, 'c1', { rate: RATE }) : undefined
      const pid = await processOf(lab, 'icn', each.member)
      await sleep(500 + Math.random() * 1000)
      const from = performance.now()
      // A daemon that hung for long is started anew by its supervisor: then there is nothing to strike yet.
      if (!strike(pid, each.signal)) {
        await asking?.stop()
        continue
      }
      await isGone(router, each.prefix)
      times.push(performance.now() - from)
      await sleep(1500)
      if (asking !== undefined) lost.push((await asking.stop())[0]!.lost)
      if (each.signal === 'SIGSTOP') strike(pid, 'SIGCONT')
    }
    say(`| ${each.what} | ${times.length} | ${seconds(at(times, 0.5))} | ${seconds(at(times, 1))} | ${lost.length === 0 ? '–' : at(lost, 0.5)} | ${lost.length === 0 ? '–' : at(lost, 1)} |`)
  }
  router.close()
  const [least, most] = [OTHERS.everyMs * (OTHERS.fall - 1), OTHERS.everyMs * OTHERS.fall]
  const middle = (least + most) / 2
  say(`| anycast_healthchecker's defaults (10 s, 2 falls), computed | – | ${seconds(middle)} | ${seconds(most)} | ${(middle / 1000) * RATE} | ${(most / 1000) * RATE} |`)
}

/** Everything is announced as at the start. */
async function isBack(lab: Lab): Promise<boolean> {
  const [own, far] = await Promise.all([Promise.all(PREFIXES.map((prefix) => pathBy(lab, 'r1', 'icn', prefix))), Promise.all(PREFIXES.map((prefix) => pathBy(lab, 'r1', 'iad', prefix)))])
  return own.every((length) => length === 1) && far.every((length) => length === 3)
}

/** A prefix has no route from icn any more. */
async function isGone(router: Bird, prefix: string): Promise<void> {
  for (;;) {
    const { lines } = await router.ask(`show route ${prefix} protocol icn_${prefix.includes(':') ? 6 : 4}`)
    if (!lines.some(({ text }) => text.includes('unicast'))) return
    await sleep(LOOK_MS)
  }
}

/** The value below which so great a share of them lies. */
const at = (values: readonly number[], share: number): number => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!
const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
