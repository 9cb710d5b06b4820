import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

// The frame of every bench: finding, starting and ending programs, what they use, and what is left behind when it is cut short.

/** Where a program is, or undefined; the system's folders are looked in too, which a user's PATH often lacks. */
export function findProgram(...names: readonly string[]): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin']
  for (const name of names) {
    for (const folder of folders) {
      try {
        accessSync(join(folder, name), constants.X_OK)
        return join(folder, name)
      } catch {
        // Not there.
      }
    }
  }
  return undefined
}

/** Why a bench goes without a server: it is not there. For `missing` of a server that needs one of these programs. */
export const needs = (...names: readonly string[]) => (): string | undefined => (findProgram(...names) === undefined ? `${names[0]} is not installed` : undefined)

const children = new Set<ChildProcess>()
const folders = new Set<string>()

/** A bench that is cut short ends what it started and leaves no files. */
process.on('exit', () => {
  for (const child of children) child.kill('SIGTERM')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))

/** Sees to it that a process does not outlive the bench. */
export function track<Child extends ChildProcess>(child: Child): Child {
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/** A folder for the time of the bench. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'nearcast-bench-'))
  folders.add(path)
  return {
    path,
    remove: () => {
      rmSync(path, { recursive: true, force: true })
      folders.delete(path)
    }
  }
}

/** The first of `from`, `from` + step, … where nothing listens over TCP. */
export async function freePort(from: number, step: number): Promise<number> {
  for (let port = from; port < from + 50 * step; port += step) if (await isFree(port)) return port
  throw new Error(`no free port from ${from} on`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Keeps every thread of some processes on one core, and those that they make. Where that cannot be done they stay where they are. */
export function pin(pids: readonly number[], core: number): void {
  for (const pid of pids) spawnSync('taskset', ['-a', '-p', '-c', String(core), String(pid)], { stdio: 'ignore' })
}

/** A process and all that came from it. */
export function familyOf(pid: number): number[] {
  const descendants = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const fields = statOf(Number(name))
    if (fields !== undefined) descendants.set(Number(fields[1]), [...(descendants.get(Number(fields[1])) ?? []), Number(name)])
  }
  const family = [pid]
  for (const member of family) family.push(...(descendants.get(member) ?? []))
  return family
}

/** The fields of /proc/PID/stat behind the name: state, parent, … */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

const ticksPerSecond = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100

/** CPU time of processes so far, user and system of every thread, in microseconds; exact to a tick, 10 ms mostly. */
export function cpuMicroseconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = statOf(pid)
    return sum + ((Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0)) * 1e6) / ticksPerSecond
  }, 0)
}

/**
 * Starts to measure the CPU time of a server; call what it returns for the microseconds since. Counted by the scheduler to
 * the nanosecond, thread by thread; where a thread has ended meanwhile, or the kernel tells no such figures, by ticks.
 */
export function watchCpu(pids: readonly number[]): () => number {
  const ticksBefore = cpuMicroseconds(pids)
  const before = threadTimes(pids)
  return () => {
    const after = threadTimes(pids)
    const isWhole = before.size > 0 && [...before.keys()].every((thread) => after.has(thread))
    if (!isWhole) return cpuMicroseconds(pids) - ticksBefore
    return [...after].reduce((sum, [thread, time]) => sum + time - (before.get(thread) ?? 0), 0) / 1000
  }
}

/** Nanoseconds on a core, by thread. */
function threadTimes(pids: readonly number[]): Map<string, number> {
  const times = new Map<string, number>()
  for (const pid of pids) {
    try {
      for (const thread of readdirSync(`/proc/${pid}/task`)) times.set(thread, Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]))
    } catch {
      // It ended meanwhile.
    }
  }
  return times
}

/** Resident memory of processes together, in octets: what they share is counted once (PSS). */
export function residentOctets(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      return sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0) * 1024
    } catch {
      return sum
    }
  }, 0)
}

/** Starts a program; what it says is shown when it ends too early. @param input `commands`: it reads some */
export function start(program: string, words: readonly string[], input: 'none' | 'commands' = 'none'): { child: ChildProcess; said(): string } {
  const child = track(spawn(program, words, { stdio: [input === 'none' ? 'ignore' : 'pipe', 'pipe', 'pipe'] }))
  let said = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)))
  child.on('error', (error) => (said += error.message))
  return { child, said: () => said }
}

/** Ends a process that was started here, by force when it does not go. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const isGone = await Promise.race([gone.then(() => true), sleep(3000, false, { ref: false })])
  if (isGone) return
  child.kill('SIGKILL')
  await gone
}

/** The first line of what a program says of its version that has a number with a point in it. */
export function versionOf(program: string, ...words: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' })
  return /\d+\.[\d.]+\d/.exec(`${stdout}${stderr}`)?.[0] ?? '?'
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Columns of equal width; the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ')).join('\n')
}
