import { closest } from './closest.ts'
import { failover } from './failover.ts'
import { geolocation } from './geolocation.ts'
import { geoproximity } from './geoproximity.ts'
import { hash } from './hash.ts'
import { latency } from './latency.ts'
import { network } from './network.ts'
import { multivalue } from './multivalue.ts'
import { score } from './score.ts'
import { simple } from './simple.ts'
import type { Verb } from './verb.ts'
import { view } from './view.ts'
import { weighted } from './weighted.ts'

/** Every verb. A new one is its file and its row here. */
export const VERBS: Readonly<Record<string, Verb>> = { simple, multivalue, failover, weighted, geolocation, geoproximity, latency, closest, hash, network, view, score }
