import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { root } from '../repo/sources.ts'
import { makeDigest, showFault, type Digest, type FailedFile } from './digest.ts'

// Runs all tests (or those named) with a log that can be read: a line for each file, and all that is known of what failed.
// Where up to three files fail, each is played once more with nothing beside it. One that passes then does not make the run
// fail, but is told: the machine was too busy for it, or the test leaves something to chance.

/** More that fail at once are no accident. */
const MOST_TRIED_AGAIN = 3
/** Of what was written to stderr: how much is kept, and how much is shown with a file that failed. */
const STDERR_KEPT = 500
const STDERR_SHOWN = 40
/** Of each fault, how much is said once more at the end. */
const LINES_SAID_AGAIN = 30

const print = (...lines: readonly string[]): void => lines.forEach((line) => process.stdout.write(`${line}\n`))

interface Run {
  readonly code: number
  readonly digest: Digest
}

/** Runs tap and prints what its stream says, as it comes. */
async function run(...args: readonly string[]): Promise<Run> {
  const digest = makeDigest()
  const tap = spawn('node_modules/.bin/tap', ['--reporter=tap', ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const stop = (signal: NodeJS.Signals): boolean => tap.kill(signal)
  process.on('SIGINT', stop).on('SIGTERM', stop)
  const said: { line: string; at: number }[] = []
  createInterface(tap.stderr).on('line', (line) => {
    said.push({ line, at: performance.now() })
    if (said.length > STDERR_KEPT) said.shift()
  })
  createInterface(tap.stdout).on('line', (line) => {
    print(...digest.take(line))
    const took = /^not ok .* # time=([\d.]+)ms/.exec(line)?.[1]
    if (took !== undefined) print(...tail(said.filter((each) => each.at > performance.now() - Number(took) - 1000).map((each) => each.line)))
  })
  const code = await new Promise<number>((resolve) => tap.on('close', (status) => resolve(status ?? 1)))
  process.off('SIGINT', stop).off('SIGTERM', stop)
  if (code !== 0 && digest.failed.length === 0) print(...tail(said.map((each) => each.line)))
  return { code, digest }
}

function tail(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['    stderr, of all that ran meanwhile:', ...lines.slice(-STDERR_SHOWN).map((line) => `        ${line}`)]
}

function sayAgain(title: string, files: readonly FailedFile[]): void {
  if (files.length === 0) return
  print('', `${title}:`)
  for (const { file, faults } of files) print(file, ...faults.flatMap((fault) => showFault({ ...fault, lines: fault.lines.slice(0, LINES_SAID_AGAIN) })))
}

async function main(files: readonly string[]): Promise<number> {
  const first = await run(...files)
  const { failed } = first.digest
  const mayTryAgain = first.code !== 0 && failed.length > 0 && failed.length <= MOST_TRIED_AGAIN && first.digest.summary() !== undefined
  if (!mayTryAgain) {
    sayAgain('failed', failed)
    print('', first.digest.summary() ?? '# tap ended before its tests')
    return first.code
  }
  print('', `once more, alone: ${failed.map((each) => each.file).join(', ')}`)
  const second = await run('--jobs=1', ...failed.map((each) => each.file))
  const stillFailed = second.digest.failed.map((each) => each.file)
  sayAgain('red at first, green alone', second.code === 0 ? failed : failed.filter((each) => !stillFailed.includes(each.file)))
  sayAgain('failed twice', second.digest.failed)
  // The counts of all files, as each ended last.
  const all = await replay(files)
  print('', all ?? second.digest.summary() ?? '# tap ended before its tests')
  return second.code
}

/** Tap's own summary over the results that it has kept of all files. */
async function replay(files: readonly string[]): Promise<string | undefined> {
  const digest = makeDigest()
  const tap = spawn('node_modules/.bin/tap', ['replay', '--reporter=tap', ...files], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
  createInterface(tap.stdout).on('line', (line) => void digest.take(line))
  await new Promise((resolve) => tap.on('close', resolve))
  return digest.summary()
}

process.exitCode = await main(process.argv.slice(2))
