import { execFile, spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

// Network namespaces without names: each is held by a process that sleeps, entered by the pid of that, and gone with it. So
// they need no mounts, leave no files, and work alike as root and inside a user namespace of an ordinary user's.

/** A process and when it began, in ticks since the machine's start: a pid that is given again is another process. */
export interface Held {
  readonly pid: number
  readonly began: string
}

/** How namespaces can be had here: as root, or below a user namespace of our own. */
export type Way = 'root' | 'user'

/** @returns the way, or why there is none */
export function findWay(): Way | { readonly reason: string } {
  for (const tool of ['unshare', 'nsenter', 'ip', 'bird', 'birdc']) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`], { env: toolPath() }).status !== 0) return { reason: `${tool} is not installed` }
  }
  const tryLink = 'ip link add lab0 type veth peer name lab1 && echo 1 > /proc/sys/net/ipv4/ip_forward'
  const asRoot = process.getuid?.() === 0 ? spawnSync('unshare', ['-n', 'sh', '-c', tryLink], { encoding: 'utf8', env: toolPath() }) : undefined
  if (asRoot?.status === 0) return 'root'
  const asUser = spawnSync('unshare', ['-Urn', 'sh', '-c', tryLink], { encoding: 'utf8', env: toolPath() })
  if (asUser.status === 0) return 'user'
  const said = `${asUser.stderr ?? ''}${asRoot?.stderr ?? ''}`.trim().split('\n')[0]
  return { reason: `network namespaces cannot be had here (${said ?? 'unshare -Urn fails'})` }
}

/** Where the system's own tools stand, which an ordinary user's path may leave out. */
export const toolPath = (): NodeJS.ProcessEnv => ({ ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` })

export const beganAt = (pid: number): string | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

export const isAlive = ({ pid, began }: Held): boolean => beganAt(pid) === began

/** Starts a process of its own that outlives this one. */
export function launch(command: readonly string[], options: { readonly log: string; readonly cwd?: string }): Held {
  const log = openSync(options.log, 'a')
  try {
    const child = spawn(command[0]!, command.slice(1), { detached: true, stdio: ['ignore', log, log], env: toolPath(), ...(options.cwd !== undefined && { cwd: options.cwd }) })
    child.on('error', () => undefined)
    child.unref()
    const began = child.pid === undefined ? undefined : beganAt(child.pid)
    if (began === undefined) throw new Error(`${command.join(' ')} does not start`)
    return { pid: child.pid!, began }
  } finally {
    closeSync(log)
  }
}

/** Sends a signal where the process is still the one that was meant. */
export function signal(held: Held, name: NodeJS.Signals): void {
  if (isAlive(held)) process.kill(held.pid, name)
}

/** Signals a process by its pid; false when it is gone, as one that hung for long may be, killed by its supervisor. */
export function strike(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    return false
  }
}

/** Ends processes: asks, waits, and insists. */
export async function end(held: readonly Held[], patience = 5000): Promise<void> {
  for (const each of held) {
    signal(each, 'SIGTERM')
    // One that is stopped hears nothing else.
    signal(each, 'SIGCONT')
  }
  if (await until(() => !held.some(isAlive), patience)) return
  for (const each of held) signal(each, 'SIGKILL')
  await until(() => !held.some(isAlive), patience)
}

/** Every process in the network namespaces that these hold, but for the holders. */
export function inhabitants(holders: readonly Held[]): Held[] {
  const spaces = new Set(holders.filter(isAlive).map(({ pid }) => spaceOf(pid)))
  const own = new Set(holders.map(({ pid }) => pid))
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).flatMap((pid) => {
    const began = own.has(pid) || !spaces.has(spaceOf(pid) ?? 'none') ? undefined : beganAt(pid)
    return began === undefined ? [] : [{ pid, began }]
  })
}

function spaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return undefined
  }
}

export async function until(check: () => Promise<boolean> | boolean, limitMs = 60_000): Promise<boolean> {
  for (const from = performance.now(); performance.now() - from < limitMs; await sleep(50)) if (await check()) return true
  return false
}

/** What goes before a command so that it runs inside the namespace that a process holds. */
export const enter = (way: Way, { pid }: Held): string[] => ['nsenter', '-t', String(pid), ...(way === 'root' ? ['-n'] : ['-U', '--preserve-credentials', '-n']), '--']

/**
 * Makes so many namespaces, each with its holder.
 * @returns the holders, the one of the user namespace behind them where there is one
 */
export async function makeSpaces(way: Way, names: readonly string[], log: string): Promise<{ readonly spaces: Readonly<Record<string, Held>>; readonly above?: Held }> {
  const holder = ['sleep', 'infinity']
  const above = way === 'root' ? undefined : launch(['unshare', '-Urn', ...holder], { log })
  const spaces: Record<string, Held> = {}
  try {
    if (above !== undefined) await asleep(above)
    for (const name of names) spaces[name] = launch([...(above === undefined ? [] : enter(way, above)), 'unshare', '-n', ...holder], { log })
    await Promise.all(Object.values(spaces).map(asleep))
    return { spaces, ...(above !== undefined && { above }) }
  } catch (error) {
    await end([...Object.values(spaces), ...(above === undefined ? [] : [above])])
    throw error
  }
}

/** It is in its namespaces once it has become what it is to be. */
async function asleep(held: Held): Promise<void> {
  const sleeps = await until(() => isAlive(held) && readFileSync(`/proc/${held.pid}/comm`, 'utf8') === 'sleep\n', 10_000)
  if (!sleeps) throw new Error('a network namespace could not be made: unshare ended')
}

export interface Ran {
  readonly status: number
  readonly out: string
  readonly err: string
}

const run = promisify(execFile)

/** Runs a command to its end; never throws for what the command says. */
export async function runCommand(command: readonly string[], timeoutMs = 30_000): Promise<Ran> {
  try {
    const { stdout, stderr } = await run(command[0]!, command.slice(1), { encoding: 'utf8', timeout: timeoutMs, env: toolPath(), maxBuffer: 1 << 26 })
    return { status: 0, out: stdout, err: stderr }
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { readonly code?: unknown; readonly stdout?: string; readonly stderr?: string }
    return { status: typeof code === 'number' ? code : 1, out: stdout, err: stderr }
  }
}
