import { z } from 'zod'
import { parseAddress } from './address.ts'
import { address, addresses, duration, label, port } from './config-values.ts'
import { suggestion } from './suggest.ts'
import type { Fault } from './trouble.ts'
import type { YamlFile } from './yaml-file.ts'

// The keys of nearcast.yaml that speak of points of presence (PoPs): daemons that tell each other what they see.

const MOST_POPS = 64
const SHORTEST_LEASE_MS = 2000
const LONGEST_LEASE_MS = 60_000

const other = z.strictObject({
  address: address.meta({ description: 'where it hears us, and where its messages come from' }),
  port: port('UDP port on which it hears us, and from which its messages come', 8054)
})

export const pops = z
  .strictObject({
    name: label.meta({ description: 'this PoP, as the others call it' }),
    listen: addresses('addresses that hear the other PoPs, one of IPv4 or IPv6 or one of each; loopback reaches this machine alone').prefault('127.0.0.1'),
    port: port('UDP port that hears the other PoPs', 8054),
    keys: z.string().min(1).meta({ description: 'file with the key that all PoPs share, relative to nearcast.yaml, mode 0600: 64 hexadecimal digits or more a line; the first signs, the others are accepted; taken anew when it changes', unit: 'path' }),
    others: z.record(label, other).meta({ description: 'the other PoPs, by name' }),
    'healthy-above': z.number().min(0).max(99).default(18).meta({ description: 'a target is healthy when more than so many per cent of the vantage points that are heard and believed say so', unit: 'per cent' }),
    quorum: z.union([z.enum(['half', 'majority']), z.int().min(1).max(MOST_POPS)]).default('half').meta({ description: 'how many vantage points, this one included, must be heard and believed for a decision: at least half of all PoPs, more than half, or a number; with fewer what was decided last holds' }),
    lease: duration('what a PoP has said is believed this long after our last message that it is known to have had, 2s to 60s', '5s'),
    'clock-skew': duration('messages of a PoP whose clock is further from ours than this are refused', '30s')
  })
  .optional()
  .meta({ description: 'other daemons that check the same targets from where they are: all decide together what is up. Absent: this one decides alone' })

/** Of a worker: which PoP runs it. */
export const pop = label.optional().meta({ description: 'PoP that runs it; the others only check it. Absent: each PoP runs one of its own' })

type Pops = z.output<typeof pops>

/** What of the configuration becomes processes. */
const RUN = ['edges', 'regionals', 'shields', 'origins'] as const

/** What the rows above cannot show: names, families and addresses that do not go together. */
export function checkPops(config: { readonly pops?: Pops } & Readonly<Record<(typeof RUN)[number], Readonly<Record<string, object>>>>, source: YamlFile): Fault[] {
  const faults: Fault[] = []
  const fault = (path: readonly PropertyKey[], reason: string, hint?: string): void => {
    faults.push({ ...source.position(path), severity: 'error', reason: `${path.map(String).join('.')}: ${reason}`, ...(hint !== undefined && { hint }) })
  }
  const settings = config.pops
  const known = settings === undefined ? [] : [settings.name, ...Object.keys(settings.others)]
  for (const kind of RUN) {
    for (const [name, worker] of Object.entries(config[kind])) {
      const runner = 'pop' in worker ? worker.pop : undefined
      if (typeof runner !== 'string' || known.includes(runner)) continue
      fault([kind, name, 'pop'], `there is no PoP ${runner}`, suggestion(runner, known) ?? 'PoPs are named under pops:')
    }
  }
  if (settings !== undefined) checkOwn(settings, fault)
  return faults
}

function checkOwn(settings: NonNullable<Pops>, fault: (path: readonly PropertyKey[], reason: string, hint?: string) => void): void {
  const { name, listen, lease, quorum } = settings
  const others = Object.entries(settings.others)
  if (others.length === 0) fault(['pops', 'others'], 'names no other PoP', 'without any leave pops: out')
  if (others.length >= MOST_POPS) fault(['pops', 'others'], `more than ${MOST_POPS - 1} other PoPs`)
  if (lease < SHORTEST_LEASE_MS || lease > LONGEST_LEASE_MS) fault(['pops', 'lease'], 'must be from 2s to 60s', 'a PoP is heard once a second')
  if (typeof quorum === 'number' && quorum > others.length + 1) fault(['pops', 'quorum'], `there are ${others.length + 1} PoPs in all, and so there would never be a quorum of ${quorum}`)
  const families = listen.map((each) => parseAddress(each)!.family)
  if (new Set(families).size < families.length) fault(['pops', 'listen'], 'more than one address of a family', 'one of IPv4 and one of IPv6')
  const seen = new Map(listen.map((each) => [`${each} ${settings.port}`, 'this PoP']))
  for (const [other, at] of others) {
    if (other === name) fault(['pops', 'others', other], `${other} is this PoP itself`, 'pops.name says which one this is')
    const place = `${at.address} ${at.port}`
    if (seen.has(place)) fault(['pops', 'others', other, 'address'], `${at.address} port ${at.port} is already that of ${seen.get(place)}`)
    seen.set(place, other)
    const own = listen.find((each) => parseAddress(each)!.family === parseAddress(at.address)!.family)
    if (own === undefined) fault(['pops', 'others', other, 'address'], `no address of pops.listen is of the same family as ${at.address}`)
    else if (isLoopback(own) && !isLoopback(at.address)) fault(['pops', 'listen'], `${own} does not reach ${other} at ${at.address}`, 'set the address of this machine that the other PoPs know it by')
  }
}

function isLoopback(text: string): boolean {
  return text === '::1' || text.startsWith('127.')
}
