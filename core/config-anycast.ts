import { z } from 'zod'
import { formatAddress, parseAddress, parsePrefix, type Prefix } from './address.ts'
import { address, duration, label, prefix } from './config-values.ts'
import { suggestion } from './suggest.ts'
import type { Fault } from './trouble.ts'
import type { YamlFile } from './yaml-file.ts'

// The keys of nearcast.yaml that speak of anycast: which prefixes this PoP announces through a BGP speaker, and when it does not.

const MOST_PREPENDS = 16
const SHORTEST_EVERY_MS = 100

const otherwise = (when: string, preset: string) =>
  z.enum(['withdraw', 'demote', 'ignore']).meta({ description: `what becomes of the announcement ${when}: \`withdraw\`, \`demote\` (another PoP is preferred), or \`ignore\`${preset}` })

/** As BIRD, and the system, write them. */
const plainAddress = (text: string): string => formatAddress(parseAddress(text)!.bytes)
const plainPrefix = (text: string): string => {
  const { bytes, length } = parsePrefix(text)!
  return `${formatAddress(bytes)}/${length}`
}

const announced = z.strictObject({
  prefix: prefix.transform(plainPrefix).meta({ description: 'what is announced, such as 192.0.2.0/24 or 2001:db8:53::/48' }),
  addresses: z.array(address.transform(plainAddress)).min(1).meta({ description: 'service addresses in it, which `nearcast anycast bind` puts on the loopback of this machine', unit: 'list of addresses' }),
  serves: z.enum(['dns', 'edges']).default('dns').meta({ description: 'who answers there: `dns`, so that it is withdrawn when DNS does not answer; `edges`, so that it is withdrawn when too few edges are up. `needs` says otherwise' }),
  needs: z
    .strictObject({
      dns: otherwise('while the own DNS listeners do not answer truly over UDP and TCP', '; absent: `withdraw` where it serves DNS, else `ignore`').optional(),
      edges: z.int().min(0).optional().meta({ description: 'edges of this PoP that must be up: of those that listen on an address of the prefix, or of all when none does; absent: 1, or 0 where this PoP runs none and DNS serves it' }),
      'few-edges': otherwise('while fewer edges are up', '; absent: `withdraw` where edges serve it, else `demote`').optional(),
      capacity: z.number().min(0).max(100).default(0).meta({ description: 'share of the capacity of these edges that must be free; 0: not looked at', unit: 'per cent' }),
      'low-capacity': otherwise('while less capacity is free', '').default('demote')
    })
    .prefault({})
    .meta({ description: 'what it takes to be announced' })
})

const community = z.string().regex(/^\d{1,10}:\d{1,10}(:\d{1,10})?$/, { message: 'expected a community such as 65535:0, or a large one such as 64500:1:2' })

export const anycast = z
  .strictObject({
    asn: z.int().min(1).max(4_294_967_295).meta({ description: 'number of the own autonomous system, which is prepended' }),
    prefixes: z.record(label, announced).meta({ description: 'what is announced, by name' }),
    upstreams: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, { message: 'expected the name of a BGP protocol in bird.conf' })).default([]).meta({ description: 'BGP sessions over which it is announced: names of protocols in bird.conf; each is read back', unit: 'list of names' }),
    bird: z
      .strictObject({
        socket: z.string().min(1).default('/run/bird/bird.ctl').meta({ description: 'control socket of BIRD', unit: 'path' }),
        include: z.string().min(1).default('/run/nearcast/nearcast.conf').meta({ description: 'file that Nearcast writes and bird.conf includes', unit: 'path' }),
        timeout: duration('a command that BIRD has not answered for so long has failed', '2s')
      })
      .optional()
      .meta({ description: 'BIRD 2 or 3 speaks BGP' }),
    exabgp: z
      .strictObject({
        pipe: z.string().min(1).meta({ description: 'named pipe that ExaBGP reads commands from', unit: 'path' }),
        'next-hop': z.string().min(1).default('self').meta({ description: 'next hop of what is announced: `self` or an address' })
      })
      .optional()
      .meta({ description: 'ExaBGP speaks BGP; it tells nothing back' }),
    every: duration('how often everything is looked at, 100ms at least', '1s'),
    timeout: duration('a question to the own DNS listeners that is not answered for so long has failed', '1s'),
    ask: z.string().min(1).max(253).optional().meta({ description: 'zone whose SOA the own listeners are asked for; absent: the first that is served' }),
    fall: z.int().min(1).max(100).default(2).meta({ description: 'checks that must fail in a row before it counts' }),
    rise: z.int().min(1).max(100).default(3).meta({ description: 'checks that must pass in a row before it counts' }),
    demotion: z
      .strictObject({
        prepends: z.int().min(0).max(MOST_PREPENDS).default(3).meta({ description: 'how often `asn` is prepended once more' }),
        med: z.int().min(0).max(4_294_967_295).optional().meta({ description: 'MULTI_EXIT_DISC; absent: none' }),
        communities: z.array(community).default(['65535:0']).meta({ description: 'communities that are added; 65535:0 is GRACEFUL_SHUTDOWN (RFC 8326)', unit: 'list of communities' })
      })
      .prefault({})
      .meta({ description: 'how a demoted prefix is announced' }),
    'demote-for': duration('how long a prefix is demoted before it is withdrawn; the other PoPs hear of it in that time', '500ms'),
    hold: duration('how long all must have been well before a withdrawn or demoted prefix is announced again; doubles with every flap', '10s'),
    'longest-hold': duration('the hold does not grow past this', '15m'),
    'flap-decay': duration('after so long without a flap one flap less counts', '10m'),
    'drain-for': duration('how long a drained prefix is demoted before it is withdrawn', '10s'),
    settle: duration('how long after a withdrawal queries may still come in: only then is it settled', '5s'),
    'restart-within': duration('a daemon that was ended as it should be, or starts, may take so long before the dead-man takes its announcements for abandoned', '10s'),
    'min-pops': z.int().min(0).max(63).default(1).meta({ description: 'other PoPs that must announce a prefix and be well before this one withdraws it; with fewer it is demoted and stays announced' }),
    'max-withdrawn': z.int().min(0).max(64).optional().meta({ description: 'PoPs that may have a prefix withdrawn at once, this one included; one that is not heard counts as one of them; absent: half of all, rounded down, one at least' })
  })
  .optional()
  .meta({ description: 'prefixes that this PoP announces by BGP while it can serve them. Absent: none' })

export type Anycast = NonNullable<z.output<typeof anycast>>
export type AnycastPrefix = Anycast['prefixes'][string]

export interface Needs {
  readonly dns: 'withdraw' | 'demote' | 'ignore'
  readonly edges: number
  readonly fewEdges: 'withdraw' | 'demote' | 'ignore'
  /** Per cent. */
  readonly capacity: number
  readonly lowCapacity: 'withdraw' | 'demote' | 'ignore'
}

/** What a prefix needs, with what follows from whom it serves. @param ownEdges how many edges this PoP runs */
export function needsOf({ serves, needs }: AnycastPrefix, ownEdges: number): Needs {
  const own = serves === 'dns' ? ({ dns: 'withdraw', edges: Math.min(1, ownEdges), fewEdges: 'demote' } as const) : ({ dns: 'ignore', edges: 1, fewEdges: 'withdraw' } as const)
  return { dns: needs.dns ?? own.dns, edges: needs.edges ?? own.edges, fewEdges: needs['few-edges'] ?? own.fewEdges, capacity: needs.capacity, lowCapacity: needs['low-capacity'] }
}

interface Around {
  readonly anycast?: Anycast | undefined
  readonly pops?: { readonly others: object } | undefined
  readonly dns: { readonly listen: readonly string[] }
}

/** What the rows above cannot show: addresses outside their prefix, listeners that are missing, numbers that can never be. */
export function checkAnycast({ anycast: settings, pops, dns }: Around, source: YamlFile, named: boolean): Fault[] {
  const faults: Fault[] = []
  if (settings === undefined) return faults
  const fault = (path: readonly PropertyKey[], reason: string, hint?: string): void => {
    faults.push({ ...source.position(['anycast', ...path]), severity: 'error', reason: `${['anycast', ...path].map(String).join('.')}: ${reason}`, ...(hint !== undefined && { hint }) })
  }
  if (Object.keys(settings.prefixes).length === 0 && !named) fault(['prefixes'], 'names no prefix', 'without any leave anycast: out')
  if ((settings.bird === undefined) === (settings.exabgp === undefined)) fault([], settings.bird === undefined ? 'says nothing of who speaks BGP' : 'names two that speak BGP', 'expected either bird: or exabgp:')
  if (settings.bird !== undefined && settings.upstreams.length === 0) fault(['upstreams'], 'names no BGP session', 'the names of the BGP protocols in bird.conf')
  if (settings.exabgp !== undefined && settings.exabgp['next-hop'] !== 'self' && parseAddress(settings.exabgp['next-hop']) === undefined) fault(['exabgp', 'next-hop'], 'expected self or an address', suggestion(settings.exabgp['next-hop'], ['self']))
  const nextHop = parseAddress(settings.exabgp?.['next-hop'] ?? '')
  const astray = Object.values(settings.prefixes).find(({ prefix: text }) => nextHop !== undefined && parsePrefix(text)!.family !== nextHop.family)
  if (astray !== undefined) fault(['exabgp', 'next-hop'], `${astray.prefix} cannot be reached by way of an IPv${nextHop!.family} address`, 'expected self, over a session of each family')
  if (settings.every < SHORTEST_EVERY_MS) fault(['every'], 'must be 100ms at least')
  if (settings['longest-hold'] < settings.hold) fault(['longest-hold'], 'is shorter than hold')
  const total = Object.keys(pops?.others ?? {}).length + 1
  if (settings['min-pops'] >= total) fault(['min-pops'], `there ${total === 1 ? 'is 1 PoP' : `are ${total} PoPs`} in all, and so nothing would ever be withdrawn`, total === 1 ? 'set it to 0, or name the other PoPs under pops:' : `${total - 1} at most`)
  checkPrefixes(settings, dns.listen, fault)
  return faults
}

function checkPrefixes(settings: Anycast, listen: readonly string[], fault: (path: readonly PropertyKey[], reason: string, hint?: string) => void): void {
  const owners = new Map<string, string>()
  const heard = listen.map(plainAddress)
  for (const [name, row] of Object.entries(settings.prefixes)) {
    const { prefix: text, addresses, serves } = row
    const net = parsePrefix(text)!
    const path = ['prefixes', name]
    const other = owners.get(text)
    if (other !== undefined) fault([...path, 'prefix'], `${text} is already that of ${other}`)
    owners.set(text, other ?? name)
    if (net.length === 0) fault([...path, 'prefix'], 'is everything')
    for (const [index, each] of addresses.entries()) {
      const at = parseAddress(each)!
      const anyAddress = at.family === 4 ? '0.0.0.0' : '::'
      if (at.family !== net.family || !isWithin(at.bytes, net)) fault([...path, 'addresses', index], `${each} is not in ${text}`)
      else if (serves === 'dns' && !heard.includes(each) && !heard.includes(anyAddress)) fault([...path, 'addresses', index], `DNS does not listen on ${each}`, `add it to dns.listen, or let that be ${anyAddress}`)
    }
  }
}

const bitOf = (bytes: Uint8Array, bit: number): number => (bytes[bit >> 3]! >> (7 - (bit & 7))) & 1

/** Whether an address of the same family lies in a network. */
export function isWithin(bytes: Uint8Array, { bytes: net, length }: Omit<Prefix, 'family'>): boolean {
  for (let bit = 0; bit < length; bit++) if (bitOf(bytes, bit) !== bitOf(net, bit)) return false
  return true
}
