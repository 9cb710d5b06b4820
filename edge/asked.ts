import { primaryKey } from './cache/index.ts'
import type { CountryOf } from './country.ts'
import { fieldName, requestField, type Connection, type RequestHead } from './http/index.ts'
import { BEHAVIOUR_FIELD, readParts, readTarget, type Facts } from './policies/index.ts'
import { behaviourFor, type Behaviour, type Site } from './sites.ts'

/** A request that is to be answered, once it is known to be one of ours. */
export interface Viewer {
  readonly request: RequestHead
  readonly reply: Connection
  readonly site: Site
  readonly behaviour: Behaviour
  readonly primary: string
  /** The parts of the key beside the primary one, a line each; empty where there are none. */
  readonly parts: string
  /** Path and query as they are sent on. */
  readonly target: string
  /** Of the tier that asks; absent for a viewer. */
  readonly nonce: string | undefined
  /** Under which it was looked up last: of the variant where there are several. */
  key: string
  /** The request's id, once one was needed. */
  id: string | undefined
  /** It is a page in place of an error that is asked for. */
  readonly page: PageWish | undefined
}

/** A page that stands in for an error: the status it is shown with, and what is done where it cannot be had. */
export interface PageWish {
  readonly status: number
  instead(): void
}

const BEHAVIOUR = fieldName(BEHAVIOUR_FIELD)

/** The behaviour of a request: the one that the tier below has chosen, or the first that it fits. */
export function chooseBehaviour(site: Site, request: RequestHead, nonce: string | undefined): Behaviour | undefined {
  const told = nonce === undefined || !site.conditional ? undefined : requestField(request, BEHAVIOUR)
  return (told === undefined ? undefined : site.behaviours[Number(told)]) ?? behaviourFor(site, request)
}

export function viewerOf(worker: { readonly countryOf: CountryOf }, site: Site, behaviour: Behaviour, asked: { request: RequestHead; reply: Connection; nonce: string | undefined }): Viewer {
  const { request, reply, nonce } = asked
  if (behaviour.policy.plain && !site.conditional) {
    const primary = primaryKey({ distribution: site.distribution, host: behaviour.origin.host ?? request.host, target: request.target })
    return { request, reply, site, behaviour, primary, parts: '', target: request.target, nonce, key: primary, id: undefined, page: undefined }
  }
  const { primary, parts, target } = readKey(site, behaviour, request, { fromTier: nonce !== undefined, country: () => worker.countryOf(reply.remoteAddress) })
  return { request, reply, site, behaviour, primary, parts: parts.join('\n'), target, nonce, key: primary, id: undefined, page: undefined }
}

/** The key of a request by the policy of its behaviour, and the target that is sent on. */
export function readKey(site: Site, { policy, origin, from }: Behaviour, request: RequestHead, facts: Facts): { readonly primary: string; readonly parts: readonly string[]; readonly target: string } {
  const { held, sent } = readTarget(policy, request.target)
  const primary = primaryKey({ distribution: site.distribution, host: origin.host ?? request.host, target: held })
  // Behaviours that differ in neither would hold the same.
  const chosen = site.conditional ? [`by ${from} ${policy.name}`] : []
  return { primary, parts: [...chosen, ...readParts(policy, request, facts)], target: sent }
}
