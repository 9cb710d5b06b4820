import type { Demotion, Route } from './include.ts'
import type { Exported, Session } from './read-back.ts'
import type { SessionView } from './speaker.ts'

/** Compares what is sent over every session with what is intended. `isOtherwise`: over one that is established something else is sent. */
export function compareSessions(found: readonly (readonly [string, Session | undefined])[], exported: ReadonlyMap<string, readonly Exported[]>, routes: readonly Route[], demotion: Demotion): { readonly sessions: SessionView[]; readonly alarms: string[]; readonly isOtherwise: boolean } {
  const alarms: string[] = []
  let isOtherwise = false
  const sessions = found.map(([name, session]): SessionView => {
    if (session === undefined) {
      alarms.push(`BIRD has no protocol ${name}`)
      return { name, state: 'no such protocol', isEstablished: false, sent: [] }
    }
    const { isEstablished, info, state, families, neighbour, neighbourAs } = session
    const sent = (exported.get(name) ?? []).map((each) => ({ prefix: each.prefix, isDemoted: isDemoted(each, demotion) }))
    if (!isEstablished) alarms.push(`${name} is not established: ${[state, info].filter((part) => part !== '').join(', ')}`)
    for (const route of routes) {
      if (!families.includes(route.prefix.includes(':') ? 6 : 4)) continue
      const trouble = isEstablished ? differs(route, sent.find(({ prefix }) => prefix === route.prefix)) : undefined
      if (trouble === undefined) continue
      isOtherwise = true
      alarms.push(`${route.prefix} is to be ${route.state}, and ${trouble} to ${name}`)
    }
    return { name, state: isEstablished ? 'Established' : [state, info].filter((part) => part !== '').join(' '), isEstablished, ...(neighbour !== undefined && { neighbour }), ...(neighbourAs !== undefined && { neighbourAs }), sent }
  })
  for (const { prefix } of routes) {
    const family = prefix.includes(':') ? 6 : 4
    if (found.length > 0 && found.every(([, session]) => session !== undefined) && !found.some(([, session]) => session?.families.includes(family) === true)) alarms.push(`${prefix} goes nowhere: no session has a channel for IPv${family}`)
  }
  return { sessions, alarms, isOtherwise }
}

function differs({ state }: Route, sent: { readonly isDemoted: boolean } | undefined): string | undefined {
  const is = sent === undefined ? 'withdrawn' : sent.isDemoted ? 'demoted' : 'announced'
  if (is === state) return undefined
  return is === 'withdrawn' ? 'is not sent' : is === 'demoted' ? 'is sent demoted' : state === 'demoted' ? 'is sent as announced' : 'is sent'
}

/** Whether it goes out with all that makes it demoted. An export filter of the operator's own may add to that. */
function isDemoted({ pathLength, med, communities }: Exported, demotion: Demotion): boolean {
  if (demotion.prepends === 0 && demotion.med === undefined && demotion.communities.length === 0) return false
  return pathLength >= demotion.prepends && (demotion.med === undefined || med === demotion.med) && demotion.communities.every((each) => communities.includes(each))
}
