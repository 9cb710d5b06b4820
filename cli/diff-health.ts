import type { MemberStatus } from '../daemon/control/api.ts'
import { healthWord } from '../healthchecks/index.ts'

/** Words of health, as the daemon's own table has them, by the names of the edges. */
export function wordsOf(members: readonly MemberStatus[]): Map<string, number> {
  const edges = members.filter(({ role }) => role === 'edge')
  return new Map(edges.map(({ name, health = 'UNKNOWN', forced, suspect = false }) => [name, healthWord(health, forced?.state ?? 'none', suspect)]))
}
