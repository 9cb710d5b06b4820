import type { Asked, DrainReply, Load, Question, WhereReply } from '../traffic/index.ts'
import { refuse, type Control, type Reply } from './admin-call.ts'

// Calls about who goes where, and who asks.

export const DAY_MS = 86_400_000

/** `edges`: names or patterns, with commas. */
export async function safe({ edges }: { edges: string }, control: Control): Promise<Reply> {
  const patterns = edges.split(',').map((each) => each.trim()).filter((each) => each !== '')
  if (patterns.length === 0) return refuse(400, 'edges: expected the name of an edge')
  return tell({ kind: 'drain', patterns, loads: loadsOf(control), goneAfter: control.status().routedTtl, ...(await counted(control)) }, control)
}

export async function where({ what, assume }: { what?: string | undefined; assume?: string | undefined }, control: Control): Promise<Reply> {
  return tell({ kind: 'where', ...(what !== undefined && { what }), ...(assume !== undefined && { assume }), ...(await counted(control)) }, control)
}

async function tell(question: Question, { traffic }: Control): Promise<Reply> {
  const answer: DrainReply | WhereReply | { readonly trouble: string } = await traffic(question)
  return 'trouble' in answer ? refuse(400, answer.trouble) : { status: 200, body: answer }
}

/** Queries counted over so long. */
export async function queries({ lastMs }: { lastMs: number }, control: Control): Promise<Reply> {
  const found = await control.asked?.(control.clock.now() - lastMs)
  if (found === undefined) return refuse(404, 'nothing is counted here')
  const { total, since, until, names } = found
  return { status: 200, body: { total, since, until, names: Object.fromEntries([...names].map(([name, countries]) => [name, Object.fromEntries(countries)])) } }
}

async function counted({ asked, clock }: Control): Promise<{ readonly asked?: Asked }> {
  const found = await asked?.(clock.now() - DAY_MS)
  return found === undefined || found.names.size === 0 ? {} : { asked: found }
}

/** What each edge has to do, as the supervisor last told, and what it can. */
function loadsOf({ setup, health }: Control): Load[] {
  const members = new Map(health.members().map((member) => [member.name, member]))
  return Object.entries(setup.config.edges).map(([name, { capacity }]) => {
    const now = members.get(name)?.requestsPerSecond
    return { name, capacity, ...(now !== undefined && { now }) }
  })
}
