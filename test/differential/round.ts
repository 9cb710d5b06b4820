import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TYPE } from '../../daemon/wire/types.ts'
import { ask, type Reply } from './ask.ts'
import { withoutRefused } from './checkers.ts'
import { compare, lint, sayReply, type Difference } from './compare.ts'
import type { Question } from './questions.ts'
import { PEERS, startServers, stopServers, type Peer, type Server, type ServerName } from './servers.ts'
import { zoneText, type DraftZone } from './zones.ts'

/** Where Nearcast differs, with what was served and asked. */
export interface Finding {
  readonly zones: readonly DraftZone[]
  readonly question: Question
  readonly difference: Difference | { readonly kind: 'lint'; readonly part: string }
}

export interface RoundResult {
  readonly asked: number
  readonly findings: readonly Finding[]
  /** Zones that were left out, each with who does not serve it. */
  readonly notServed: readonly string[]
}

const SERVERS: readonly ServerName[] = [...PEERS, 'nearcast']
/** Octets that are no query may get no reply: how long that is waited for. */
const PATIENCE_MS = 400
const AT_ONCE = 24

/** Serves the zones by all servers, asks all the questions and compares. */
export async function runRound(drafts: readonly DraftZone[], questionsOf: (served: readonly DraftZone[]) => readonly Question[], port: number): Promise<RoundResult> {
  const work = mkdtempSync(join(tmpdir(), 'nearcast-differential-'))
  let servers: Server[] = []
  // What a checker has against a line is for the comparison of checkers to tell.
  const zones = drafts.map((zone) => ({ ...zone, lines: withoutRefused(zone.origin, zone.lines, (lines) => zoneText({ ...zone, lines })) ?? zone.lines }))
  try {
    servers = await startServers(SERVERS, new Map(zones.map((zone) => [zone.origin, zoneText(zone)])), work, port)
    const { served, notServed } = await servedByAll(servers, zones)
    if (notServed.length > 0) {
      await stopServers(servers)
      const without = await runRound(served, questionsOf, port)
      return { ...without, notServed: [...notServed, ...without.notServed] }
    }
    const questions = served.length === 0 ? [] : questionsOf(served)
    const findings: Finding[] = []
    let next = 0
    const worker = async (): Promise<void> => {
      for (let index = next++; index < questions.length; index = next++) {
        const question = questions[index]!
        for (const difference of await putToAll(servers, question)) findings.push({ zones, question, difference })
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    return { asked: questions.length, findings, notServed }
  } finally {
    await stopServers(servers)
    rmSync(work, { recursive: true, force: true })
  }
}

async function putToAll(servers: readonly Server[], question: Question): Promise<Finding['difference'][]> {
  const found = await putOnce(servers, question)
  // A machine at work elsewhere answers late now and then: only what comes twice counts.
  if (!found.some((each) => each.part === 'outcome')) return found
  return putOnce(servers, question)
}

async function putOnce(servers: readonly Server[], question: Question): Promise<Finding['difference'][]> {
  const replies = await Promise.all(servers.map(async ({ name, port }) => [name, await ask(port, question.bytes, question.transport, PATIENCE_MS)] as const))
  const { nearcast, ...peers } = Object.fromEntries(replies) as Record<Peer | 'nearcast', Reply>
  return [...compare(question, peers, nearcast), ...lint(question, nearcast).map((part) => ({ kind: 'lint', part }) as const)]
}

async function servedByAll(servers: readonly Server[], zones: readonly DraftZone[]): Promise<{ served: DraftZone[]; notServed: string[] }> {
  const notServed: string[] = []
  const served: DraftZone[] = []
  for (const zone of zones) {
    const question = soaQuestion(zone.origin)
    const serves = await Promise.all(servers.map(async ({ name, port }) => {
      for (let tries = 0; tries < 20; tries++) {
        const { rcode, answer } = sayReply(question, await ask(port, question.bytes, 'udp', PATIENCE_MS))
        if (rcode === '0' && answer !== '') return undefined
      }
      return name
    }))
    const absent = serves.filter((name) => name !== undefined)
    if (absent.length === 0) served.push(zone)
    else notServed.push(`${zone.origin} not served by ${absent.map((name) => `${name} (${whyNot(servers.find((server) => server.name === name)!, zone.origin)})`).join(', ')}`)
  }
  return { served, notServed }
}

/** What a server's log says of trouble with a zone. */
function whyNot(server: Server, origin: string): string {
  const lines = server.log().split('\n').filter((line) => line.includes(origin.slice(0, -1)) && /error|fail|refus|bad|not |warn/i.test(line))
  return lines.slice(-3).map((line) => line.slice(-120)).join(' / ')
}

function soaQuestion(origin: string): Question {
  const name = Buffer.from(origin.split('.').map((label) => String.fromCharCode(label.length) + label).join(''), 'latin1')
  const bytes = Buffer.concat([Buffer.from('000000000001000000000000', 'hex'), name, Buffer.from('00060001', 'hex')])
  return { bytes, transport: 'udp', text: `${origin} SOA`, asks: { type: TYPE.SOA, class: 1, edns: undefined } }
}

/** Leaves out of the zones what the difference does not need, within so many tries. */
export async function shrink(finding: Finding, port: number, tries: number): Promise<Finding> {
  let best = finding
  let size = Math.ceil(countLines(finding.zones) / 2)
  let from = 0
  for (let tried = 0; tried < tries; tried++) {
    const zones = withoutLines(best.zones, from, size)
    const { findings } = countLines(zones) === countLines(best.zones) ? { findings: [] } : await runRound(zones, () => [finding.question], port)
    const still = findings.find(({ difference }) => difference.part === finding.difference.part && difference.kind === finding.difference.kind)
    if (still === undefined) from += size
    else best = still
    if (from < countLines(best.zones)) continue
    if (size === 1) break
    size = Math.ceil(size / 2)
    from = 0
  }
  return best
}

const countLines = (zones: readonly DraftZone[]): number => zones.reduce((sum, { lines }) => sum + lines.length, 0)

/** The zones without so many lines from there on; what makes them zones stays. */
function withoutLines(zones: readonly DraftZone[], from: number, size: number): DraftZone[] {
  let at = -1
  return zones.map((zone) => ({ ...zone, lines: zone.lines.filter(({ type, owner }) => (at++, at < from || at >= from + size || type === 'SOA' || (type === 'NS' && owner === zone.origin))) }))
}
