import { spawn, type ChildProcess } from 'node:child_process'
import { messageOf } from '../core/trouble.ts'
import { Beginning, missingIn, wantsContent, type Content } from './content.ts'
import { attempt, type Attempt, type Probe, type ProbeTarget } from './probe.ts'

/** A program of the operator's: exit status 0 passes. Run without a shell, in a process group of its own. */
export interface ExecSpec extends ProbeTarget {
  readonly kind: 'exec'
  /** The program and its arguments; `{address}` and `{name}` have been filled in. */
  readonly command: readonly string[]
  /** Looked for in what it prints. */
  readonly content?: Content
}

/** It gets no more of the daemon's environment than this. */
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' }
/** Programs under way at once; more wait for their turn, within their own time. */
const MOST_AT_ONCE = 32
let underWay = 0
const waiting: (() => void)[] = []

export const probeExec: Probe<ExecSpec> = async (spec, options) => {
  const { unroutable: _, ...result } = await attempt(options, (attempt) => run(spec, attempt))
  return result
}

/** @returns what ends the program and all that it started */
function run({ command, content = {} }: ExecSpec, attempt: Attempt): () => void {
  let child: ChildProcess | undefined
  // There is nothing to connect to.
  attempt.connected()
  const begin = (): void => {
    if (attempt.isOver) return
    try {
      child = start(command, content, attempt)
    } catch (error) {
      attempt.fail(`cannot be run: ${messageOf(error)}`)
    }
  }
  if (underWay < MOST_AT_ONCE) begin()
  else waiting.push(begin)
  return () => {
    // A signal to the group reaches its children too; one that has left the group is on its own.
    if (child?.pid !== undefined) killGroup(child.pid)
    // Nor is it listened to: what it started would hold a descriptor of ours each time.
    child?.stdout?.destroy()
    child?.stderr?.destroy()
  }
}

function start([program, ...parameters]: readonly string[], content: Content, attempt: Attempt): ChildProcess {
  const child: ChildProcess = spawn(program!, parameters, { detached: true, shell: false, stdio: ['ignore', 'pipe', 'pipe'], env: ENVIRONMENT, cwd: '/' })
  const said = new Beginning()
  const complaint = new Beginning(200)
  // Neither is there when descriptors have run out.
  child.stdout?.on('data', (chunk: Uint8Array) => said.add(chunk))
  child.stderr?.on('data', (chunk: Uint8Array) => complaint.add(chunk))
  underWay++
  let isFreed = false
  const free = (): void => {
    if (isFreed) return
    isFreed = true
    underWay--
    // Those whose time ran out while they waited begin nothing.
    for (const begin of waiting.splice(0)) {
      if (underWay < MOST_AT_ONCE) begin()
      else waiting.push(begin)
    }
  }
  child.on('error', (error) => {
    free()
    attempt.fail(`cannot be run: ${error.message}`)
  })
  child.on('exit', () => {
    free()
    // Whatever it left running would hold its output open.
    if (child.pid !== undefined) killGroup(child.pid)
  })
  child.on('close', (code, signal) => {
    free()
    const words = firstLine(complaint) || firstLine(said)
    const missing = code === 0 && wantsContent(content) ? missingIn(said.octets(), content) : undefined
    if (missing !== undefined) attempt.fail(missing)
    else if (code === 0) attempt.pass(firstLine(said) || 'exit status 0')
    else attempt.fail(`${signal === null ? `exit status ${code}` : `killed by ${signal}`}${words === '' ? '' : `: ${words}`}`)
  })
  return child
}

function firstLine(from: Beginning): string {
  const [line = ''] = Buffer.from(from.octets()).toString('utf8').trim().split('\n')
  return line.replace(/[^\x20-\x7e\u00a0-\uffff]/g, '').slice(0, 100)
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All of it has ended already.
  }
}
