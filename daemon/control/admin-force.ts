import { isGlob, matchesGlob } from '../../core/glob.ts'
import { findMember, refuse, type Control, type Reply } from './admin-call.ts'
import type { ForceReply, ForceRequest, ForcesReply } from './api.ts'

type Asked = Omit<ForceRequest, 'forMs'> & { readonly why: string; readonly everywhere: boolean; readonly forMs?: number | undefined }

/** Forces a name, or with `*` and `?` every checked member and target that it fits. Tells which it took, and which other PoPs know already. */
export async function force(input: Asked, control: Control): Promise<Reply> {
  const { everywhere, health, clock } = control
  if (input.everywhere && everywhere === undefined) return refuse(400, 'this daemon has no other PoPs: nearcast.yaml has no pops:')
  const names = namesOf(input.name, control)
  if ('status' in names) return names
  const { state, why, forMs } = input
  const now = clock.now()
  const until = forMs === undefined ? {} : { until: now + forMs }
  await Promise.all(names.map((name) => {
    const order = { name, why, since: now, ...until }
    if (input.everywhere) return everywhere!.order({ ...order, state })
    return state === 'none' ? health.forces.clear(name) : health.forces.set({ ...order, state })
  }))
  const body: ForceReply = { done: true, ...(names.length > 1 || names[0] !== input.name ? { names } : {}), ...(input.everywhere && { pops: everywhere!.others() }) }
  return { status: 200, body }
}

/** Every forced state there is now, the longest first. */
export function listForces(_: unknown, { health, clock }: Control): Reply {
  const forces = health.forces.list().toSorted((a, b) => a.since - b.since)
  const body: ForcesReply = { now: clock.now(), forces: forces.map(({ name, state, why, since, until, everywhere }) => ({ name, state, why, since, ...(until !== undefined && { until }), ...(everywhere !== undefined && { everywhere }) })) }
  return { status: 200, body }
}

function namesOf(wanted: string, control: Control): readonly string[] | Reply {
  const targets = control.health.targets().map(({ name }) => name)
  if (targets.includes(wanted)) return [wanted]
  if (isGlob(wanted)) {
    const checked = control.health.members().filter(({ health }) => health !== undefined).map(({ name }) => name)
    const known = [...checked, ...targets]
    const names = known.filter((name) => matchesGlob(wanted, name))
    return names.length > 0 ? names : refuse(404, `${wanted} fits no member (known: ${known.slice(0, 16).join(', ')})`)
  }
  const member = findMember(wanted, control)
  if ('status' in member) return member
  return member.health === undefined ? refuse(400, `${member.name} is not checked, so there is nothing to force`) : [member.name]
}
