import type { Anycast } from '../../core/config-anycast.ts'
import type { After, Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { BirdSpeaker } from './bird-speaker.ts'
import { ExabgpSpeaker } from './exabgp-speaker.ts'
import type { Speaker } from './speaker.ts'

interface Tools {
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
}

/** The speaker that a configuration names. */
export function openSpeaker({ asn, demotion, upstreams, bird, exabgp }: Anycast, tools: Tools): Speaker {
  if (exabgp !== undefined) return new ExabgpSpeaker({ asn, demotion, pipe: exabgp.pipe, nextHop: exabgp['next-hop'], ...tools })
  return new BirdSpeaker({ asn, demotion, upstreams, socket: bird!.socket, include: bird!.include, timeoutMs: bird!.timeout, ...tools })
}
