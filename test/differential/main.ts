import { tryData } from './data.ts'
import { EXPLAINED, isExplainedFile } from './explained.ts'
import { draftTrial, shrinkFile, tryFile } from './files.ts'
import { damage, draftQuestion } from './questions.ts'
import { makeRandom, type Random } from '../helpers/random.ts'
import { readToolOptions } from '../helpers/tool.ts'
import { runRound, shrink, type Finding } from './round.ts'
import { missingPrograms } from './servers.ts'
import { draftZones, sampleTexts, zoneText } from './zones.ts'

// Asks Knot DNS, NSD, BIND and Nearcast the same random questions about the same random zones, shows their checkers the same
// random zone files, and BIND the same random records:
// A difference from what the peers agree on, or an answer like none of theirs, is made as small as it goes and printed.

interface Options {
  readonly seed: number
  readonly minutes: number
  readonly rounds: number
  /** Per round: questions, zone files and records. */
  readonly questions: number
  readonly files: number
  readonly records: number
  readonly port: number
  readonly keepGoing: boolean
}

function readOptions(): Options {
  const values = readToolOptions('differential', 'asks Knot DNS, NSD, BIND and Nearcast the same, and shows where they differ', {
    seed: { value: 'N', about: 'of the first round (1)' },
    minutes: { value: 'N', about: 'for so long' },
    rounds: { value: 'N', about: 'so many rounds (3, with --minutes any)' },
    questions: { value: 'N', about: 'in each round (600)' },
    files: { value: 'N', about: 'zone files in each round (60)' },
    records: { value: 'N', about: 'records in each round (40)' },
    port: { value: 'N', about: 'the first that servers listen on (14100)' },
    'keep-going': { about: 'does not end with the first difference' }
  })
  const number = (text: string | undefined, preset: number): number => (text === undefined ? preset : Number(text))
  const rounds = number(values.rounds, values.minutes === undefined ? 3 : Infinity)
  return {
    seed: number(values.seed, 1), minutes: number(values.minutes, Infinity), rounds, questions: number(values.questions, 600), files: number(values.files, 60), records: number(values.records, 40),
    port: number(values.port, 14_100), keepGoing: values['keep-going'] !== undefined
  }
}

/** What a run has seen so far. */
interface Tally {
  asked: number
  explained: number
  readonly unexplained: Set<string>
}

async function run(options: Options): Promise<number> {
  const until = performance.now() + options.minutes * 60_000
  const tally: Tally = { asked: 0, explained: 0, unexplained: new Set() }
  const mayGoOn = (): boolean => options.keepGoing || tally.unexplained.size === 0
  let rounds = 0
  for (; rounds < options.rounds && performance.now() < until && mayGoOn(); rounds++) {
    const seed = options.seed + rounds
    await askRound(seed, options, tally)
    const random = makeRandom(seed)
    for (let left = options.files; left > 0 && mayGoOn(); left--) askAboutFile(seed, random, tally)
    for (let left = options.records; left > 0 && mayGoOn(); left--) {
      const wrong = tryData(random)
      if (wrong === undefined) continue
      tally.unexplained.add(wrong)
      process.stdout.write(`seed ${seed}: record: ${wrong}\n`)
    }
  }
  const each = `${tally.asked} questions, ${rounds * options.files} zone files, ${rounds * options.records} records`
  process.stdout.write(`differential: seeds ${options.seed} to ${options.seed + rounds - 1}: ${each}; ${tally.explained} explained differences, ${tally.unexplained.size} unexplained\n`)
  return tally.unexplained.size === 0 ? 0 : 1
}

async function askRound(seed: number, options: Options, tally: Tally): Promise<void> {
  const random = makeRandom(seed)
  const zones = draftZones(random, sampleTexts(seed, 4))
  const questionsOf: Parameters<typeof runRound>[1] = (served) =>
    Array.from({ length: options.questions }, () => (random.percent(10) ? damage(random, draftQuestion(random, served)) : draftQuestion(random, served)))
  const result = await runRound(zones, questionsOf, options.port)
  tally.asked += result.asked
  for (const line of result.notServed) process.stdout.write(`seed ${seed}: ${line}\n`)
  for (const finding of result.findings) {
    if (EXPLAINED.some(({ fits }) => fits(finding))) {
      tally.explained++
      continue
    }
    const { kind, part } = finding.difference
    const key = `${kind} ${part} ${finding.question.asks?.type ?? 'damaged'} ${kind === 'lint' ? '' : finding.difference.ours.length === 0}`
    if (tally.unexplained.has(key)) continue
    tally.unexplained.add(key)
    report(seed, await shrink(finding, options.port, 12))
    if (!options.keepGoing) return
  }
}

function askAboutFile(seed: number, random: Random, tally: Tally): void {
  const found = tryFile(draftTrial(random))
  if (found === undefined) return
  const { trial, verdicts } = shrinkFile(found)
  if (isExplainedFile(trial.text, verdicts['nearcast']!)) {
    tally.explained++
    return
  }
  tally.unexplained.add(trial.text)
  const said = Object.entries(verdicts).map(([name, { accepts, said }]) => `  ${name}: ${accepts ? 'accepts' : said.split('\n').find((line) => line.includes(':'))}`)
  process.stdout.write(`seed ${seed}: zone file (${trial.about}):\n${said.join('\n')}\n${trial.text.split('\n').slice(0, 30).map((line) => `    ${line}`).join('\n')}\n`)
}

function report(seed: number, { zones, question, difference }: Finding): void {
  const lines = [`seed ${seed}: ${difference.kind} ${difference.part}: ${question.text}`]
  if (difference.kind !== 'lint') {
    for (const [peer, text] of Object.entries({ ...difference.peers, nearcast: difference.ours })) lines.push(`  ${peer}:`, ...text.split('\n').map((line) => `    ${line.slice(0, 160)}`))
  }
  for (const zone of zones) lines.push(`  zone ${zone.origin}`, ...zoneText(zone).split('\n').slice(0, 60).map((line) => `    ${line.slice(0, 200)}`))
  process.stdout.write(`${lines.join('\n')}\n`)
}

const options = readOptions()
const absent = missingPrograms()
if (absent.length > 0) process.stdout.write(`differential: skipped, ${absent.join(', ')} not installed\n`)
else process.exitCode = await run(options)
