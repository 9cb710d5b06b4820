import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/trouble.ts'
import type { NetworksImage } from '../../geodb/index.ts'
import type { NetworkPlan, RoutingImage, Target } from '../routing/index.ts'
import { restorePolicies, type Policies, type PolicyOptions } from './loader-policies.ts'
import { noHistory, openPolicyHistory, type FoundPolicies } from './policy-history.ts'

/** The policies of an earlier time, ready to be asked; the targets of the image have their places there as words. Wall times. */
export type PastPolicies =
  | Exclude<FoundPolicies, { readonly kind: 'other' }>
  | { readonly kind: 'other'; readonly since: number; readonly until: number; readonly routing: RoutingImage; readonly networks: NetworksImage | undefined }

export interface PolicyKeeper {
  /** These are in service from now on. Returns why they could not be kept. */
  note(policies: Policies): string | undefined
  /** @param networksOf what is known of networks now, for the plan of those policies */
  find(at: number, networksOf: (plan: NetworkPlan) => NetworksImage | undefined): PastPolicies
}

/** Keeps the policies of the last day, with the edges and checks that they could name. */
export function makePolicyKeeper(options: PolicyOptions & { readonly stateFolder?: string }, clock: Pick<Clock, 'now'>): PolicyKeeper {
  const { stateFolder } = options
  const history = stateFolder === undefined ? noHistory : openPolicyHistory(stateFolder, clock)
  const fleet = fleetText(options)
  return {
    note: ({ texts }) => history.note({ texts, fleet }),
    find: (at, networksOf) => {
      const found = history.find(at)
      if (found.kind !== 'other') return found
      try {
        const policies = restorePolicies({ ...options, ...fleetOf(found.fleet) }, found.texts)
        const { since, until } = found
        return policies === undefined ? REFUSED : { kind: 'other', since, until, routing: policies.image, networks: networksOf(policies.networks) }
      } catch (error) {
        return { kind: 'unknown', reason: `those of then cannot be taken up: ${messageOf(error)}` }
      }
    }
  }
}

const REFUSED: PastPolicies = { kind: 'unknown', reason: 'those of then would be refused now' }

type Fleet = Required<Pick<PolicyOptions, 'targets' | 'checks'>>

function fleetText({ targets, checks = [] }: PolicyOptions): Buffer {
  const plain = targets.map((target) => ({ ...target, ipv4: target.ipv4.map((bytes) => [...bytes]), ipv6: target.ipv6.map((bytes) => [...bytes]) }))
  return Buffer.from(JSON.stringify({ targets: plain, checks }))
}

/** Of a text that `fleetText` made: its sum has been held against it. */
function fleetOf(text: Buffer): Fleet {
  const { targets, checks } = JSON.parse(text.toString()) as Fleet
  const bytesOf = (lists: readonly Uint8Array[]): Uint8Array[] => lists.map((bytes) => Uint8Array.from(bytes))
  return { targets: targets.map((target): Target => ({ ...target, ipv4: bytesOf(target.ipv4), ipv6: bytesOf(target.ipv6) })), checks }
}
