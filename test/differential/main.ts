import { parseArgs } from 'node:util'
import { EXPLAINED } from './explained.ts'
import { damage, draftQuestion } from './questions.ts'
import { makeRandom } from './random.ts'
import { runRound, shrink, type Finding } from './round.ts'
import { missingPrograms } from './servers.ts'
import { draftZones, sampleTexts, zoneText } from './zones.ts'

// Asks Knot DNS, NSD, BIND and Nearcast the same random questions about the same random zones:
//   npm run differential -- [--seed N] [--minutes N | --rounds N] [--questions N] [--port N] [--keep-going]
// A difference from what the peers agree on, or an answer like none of theirs, is made as small as it goes and printed.

interface Options {
  readonly seed: number
  readonly minutes: number
  readonly rounds: number
  readonly questions: number
  readonly port: number
  readonly keepGoing: boolean
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' }, minutes: { type: 'string' }, rounds: { type: 'string' }, questions: { type: 'string' }, port: { type: 'string' }, 'keep-going': { type: 'boolean' }
    }
  })
  const number = (text: string | undefined, preset: number): number => (text === undefined ? preset : Number(text))
  const rounds = number(values.rounds, values.minutes === undefined ? 3 : Infinity)
  return {
    seed: number(values.seed, 1), minutes: number(values.minutes, Infinity), rounds, questions: number(values.questions, 600), port: number(values.port, 14_100), keepGoing: values['keep-going'] ?? false
  }
}

async function run(options: Options): Promise<number> {
  const until = performance.now() + options.minutes * 60_000
  const said = new Set<string>()
  let [asked, explained, rounds] = [0, 0, 0]
  for (; rounds < options.rounds && performance.now() < until; rounds++) {
    const seed = options.seed + rounds
    const random = makeRandom(seed)
    const zones = draftZones(random, sampleTexts(seed, 4))
    const questionsOf: Parameters<typeof runRound>[1] = (served) =>
      Array.from({ length: options.questions }, () => (random.percent(10) ? damage(random, draftQuestion(random, served)) : draftQuestion(random, served)))
    const result = await runRound(zones, questionsOf, options.port)
    asked += result.asked
    for (const line of result.notServed) process.stdout.write(`seed ${seed}: ${line}\n`)
    for (const finding of result.findings) {
      if (EXPLAINED.some(({ fits }) => fits(finding))) {
        explained++
        continue
      }
      const { kind, part } = finding.difference
      const key = `${kind} ${part} ${finding.question.asks?.type ?? 'damaged'} ${kind === 'lint' ? '' : finding.difference.ours.length === 0}`
      if (said.has(key)) continue
      said.add(key)
      report(seed, kind === 'lint' || !options.keepGoing ? await shrink(finding, options.port, 25) : finding)
      if (!options.keepGoing) break
    }
    if (said.size > 0 && !options.keepGoing) break
  }
  process.stdout.write(`differential: seeds ${options.seed} to ${options.seed + rounds - 1}, ${asked} questions, ${explained} explained differences, ${said.size} unexplained\n`)
  return said.size === 0 ? 0 : 1
}

function report(seed: number, { zones, question, difference }: Finding): void {
  const lines = [`seed ${seed}: ${difference.kind} ${difference.part}: ${question.text}`]
  if (difference.kind !== 'lint') {
    for (const [peer, text] of Object.entries({ ...difference.peers, nearcast: difference.ours })) lines.push(`  ${peer}:`, ...text.split('\n').map((line) => `    ${line.slice(0, 160)}`))
  }
  for (const zone of zones) lines.push(`  zone ${zone.origin}`, ...zoneText(zone).split('\n').slice(0, 60).map((line) => `    ${line.slice(0, 200)}`))
  process.stdout.write(`${lines.join('\n')}\n`)
}

const absent = missingPrograms()
if (absent.length > 0) process.stdout.write(`differential: skipped, ${absent.join(', ')} not installed\n`)
else process.exitCode = await run(readOptions())
