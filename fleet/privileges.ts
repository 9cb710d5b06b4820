import { execFileSync } from 'node:child_process'
import { native } from '../core/native.ts'

/** Who the fleet is to run as. */
export interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
  /** Every group it is in. */
  readonly groups: readonly number[]
}

/** The user of a name, as the system knows it; undefined when there is none. */
export function findUser(name: string): User | undefined {
  const ask = (what: string): number[] => execFileSync('id', [what, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim().split(' ').map(Number)
  try {
    return { name, uid: ask('-u')[0]!, gid: ask('-g')[0]!, groups: ask('-G') }
  } catch {
    return undefined
  }
}

export const isRoot = (): boolean => process.getuid?.() === 0

const PR_SET_KEEPCAPS = 8
const PR_CAP_AMBIENT = 47
const PR_CAP_AMBIENT_RAISE = 2
const CAP_NET_BIND_SERVICE = 10
const CAPABILITY_VERSION_3 = 0x20080522

/**
 * Stops being root, for good. On Linux the one capability to bind ports below 1024 is kept and raised into the ambient set,
 * so that every process started from here has it too, those started again later included (capabilities(7)).
 * @returns what was lost on the way, for the operator
 */
export function becomeUser(user: User): string | undefined {
  const linux = process.platform === 'linux' ? native() : undefined
  const prctl = linux?.call('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)')
  prctl?.(PR_SET_KEEPCAPS, 1, 0, 0, 0)
  process.setgroups!(user.groups)
  process.setgid!(user.gid)
  process.setuid!(user.uid)
  if (linux === undefined || prctl === undefined) return `ports below 1024 cannot be bound as ${user.name} on this system`
  // struct __user_cap_header_struct { version, pid } and two of { effective, permitted, inheritable }, low words first.
  const header = Uint32Array.of(CAPABILITY_VERSION_3, 0)
  const bind = 1 << CAP_NET_BIND_SERVICE
  const capset = linux.call('int capset(void *, const void *)')
  const kept = capset(header, Uint32Array.of(bind, bind, bind, 0, 0, 0)) === 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) === 0
  return kept ? undefined : `the capability to bind ports below 1024 could not be kept as ${user.name}`
}
