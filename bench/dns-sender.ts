import { cases, layQuestions, type CaseName } from './dns-questions.ts'
import type { Run } from './sender/run.ts'
import { loadSenderSystem } from './sender/system.ts'
import { makeTcpWires } from './sender/tcp.ts'
import { begin, giveUp, makeTally, noteGap, waitOf } from './sender/tally.ts'
import { makeUdpWires } from './sender/udp.ts'
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/trouble.ts'

// A process that asks the questions of one case: at a rate, or as many as are answered while so many are on their way.
// It is told what to do in messages, one run at a time, and checks every answer.

/** What a run came to. */
export interface Load {
  readonly sent: number
  readonly answered: number
  /** Answers that are not the right one: RCODE, question, address. */
  readonly wrong: number
  /** Without an answer, or with one that came after GIVE_UP_MS. */
  readonly lost: number
  readonly seconds: number
  /** The longest time without any answer while some were waited for. */
  readonly longestGapMs: number
  /** Microseconds within which half of the answers came, and 99 of 100. */
  readonly median: number
  readonly p99: number
  /** CPU microseconds of the sender per query. */
  readonly senderCpu: number
}

/** An answer that is later than this is counted as lost. */
const GIVE_UP_MS = 1000
/** After the last was sent, answers are waited for as long. */
const LINGER_MS = GIVE_UP_MS

const name = process.argv[2] as CaseName
const { rcode, window, connections } = cases[name]
const questions = layQuestions(cases[name])
const system = await loadSenderSystem()
const tally = makeTally(questions, rcode)
const wires = connections === undefined ? makeUdpWires(system, tally) : makeTcpWires(system, tally, connections, Math.ceil(window / connections))

/** Queries that leave together when they may; over TCP at once, or servers that wait for acknowledgements would wait for us. */
const TOGETHER = connections === undefined ? 32 : 1

process.on('message', (run: Run) => {
  try {
    process.send!(ask(run))
  } catch (error) {
    process.send!(messageOf(error))
  }
})
process.once('disconnect', () => process.exit(0))
process.send!('ready')

function ask({ port, workers, seconds, rate, check }: Run): Load {
  wires.open(port, workers)
  begin(tally, check)
  const cpuBefore = process.cpuUsage()
  const start = systemClock.elapsed()
  const end = start + seconds * 1000
  const total = rate === undefined ? Infinity : Math.round(rate * seconds)
  let now = start
  for (; ; now = systemClock.elapsed()) {
    const isOver = now >= end || tally.sent >= total
    if (isOver && (tally.outstanding === 0 || now >= end + LINGER_MS)) break
    const due = isOver ? 0 : (rate === undefined ? Infinity : Math.min(total, Math.floor(((now - start) * rate) / 1000))) - tally.sent
    const room = window - tally.outstanding
    tally.now = now
    // What may leave as soon as an answer has come leaves together with others.
    const leaves = due > 0 && room >= (rate === undefined ? TOGETHER : 1)
    if (leaves) wires.send(Math.min(due, room))
    // At a rate it never sleeps: it would wake too late.
    noteGap(tally)
    tally.now = systemClock.elapsed()
    wires.receive(leaves || rate !== undefined ? 0 : 1)
    giveUp(tally, GIVE_UP_MS)
  }
  const { user, system: kernel } = process.cpuUsage(cpuBefore)
  const { sent, answered, wrong, longestGapMs } = tally
  return { sent, answered, wrong, lost: sent - answered, seconds: Math.min(now, end) / 1000 - start / 1000, longestGapMs, median: waitOf(tally, 0.5), p99: waitOf(tally, 0.99), senderCpu: (user + kernel) / Math.max(1, sent) }
}
