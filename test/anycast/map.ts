// Who is in the lab, and where: three PoPs, two routers, a client behind each. Everything else is made from this table.
//
//   c1 ── r1 (AS 64601) ─────── r2 (AS 64602) ── c2
//          │  └──────┐     ┌─────┘  │
//         icn         ╲   ╱        fra
//      (AS 65001)      iad      (AS 65002)
//                   (AS 65003, announces with its own AS three times)

export interface Side {
  readonly node: string
  readonly ipv4: string
  readonly ipv6: string
}

/** A cable. Interfaces are called by who is at the other end. */
export interface Link {
  readonly ends: readonly [Side, Side]
  readonly length4: number
}

export interface Router {
  readonly name: string
  readonly as: number
  readonly id: string
}

export interface Pop extends Router {
  /** Its own addresses, which no other PoP has. */
  readonly ipv4: string
  readonly ipv6: string
  readonly city: string
  readonly at: readonly [number, number]
  /** How often it puts its AS in front of what it announces, beside the once of BGP. */
  readonly prepends: number
}

/** One address of DNS and one of the edges, the same at every PoP. */
export const SERVICE = {
  dns: { ipv4: '192.0.2.53', ipv6: '2001:db8:53::53', prefix4: '192.0.2.0/24', prefix6: '2001:db8:53::/48' },
  edge: { ipv4: '203.0.113.80', ipv6: '2001:db8:80::80', prefix4: '203.0.113.0/24', prefix6: '2001:db8:80::/48' }
} as const

/** All that is anycast. */
export const PREFIXES: readonly string[] = [SERVICE.dns.prefix4, SERVICE.dns.prefix6, SERVICE.edge.prefix4, SERVICE.edge.prefix6]

export const ROUTERS: readonly Router[] = [
  { name: 'r1', as: 64601, id: '10.0.0.1' },
  { name: 'r2', as: 64602, id: '10.0.0.2' }
]

export const POPS: readonly Pop[] = [
  { name: 'icn', as: 65001, id: '10.0.0.11', ipv4: '198.51.100.11', ipv6: '2001:db8:a::11', city: 'Seoul', at: [37.46, 126.44], prepends: 0 },
  { name: 'fra', as: 65002, id: '10.0.0.12', ipv4: '198.51.100.12', ipv6: '2001:db8:a::12', city: 'Frankfurt', at: [50.03, 8.56], prepends: 0 },
  { name: 'iad', as: 65003, id: '10.0.0.13', ipv4: '198.51.100.13', ipv6: '2001:db8:a::13', city: 'Ashburn', at: [38.95, -77.45], prepends: 2 }
]

export const CLIENTS: readonly { readonly name: string; readonly router: string }[] = [
  { name: 'c1', router: 'r1' },
  { name: 'c2', router: 'r2' }
]

const cable = (number: number, one: string, other: string): Link => ({
  ends: [{ node: one, ipv4: `10.0.${number}.1`, ipv6: `fd00:0:0:${number}::1` }, { node: other, ipv4: `10.0.${number}.2`, ipv6: `fd00:0:0:${number}::2` }],
  length4: 30
})

const access = (number: number, router: string, client: string): Link => ({
  ends: [{ node: router, ipv4: `198.18.${number}.1`, ipv6: `2001:db8:c${number}::1` }, { node: client, ipv4: `198.18.${number}.2`, ipv6: `2001:db8:c${number}::2` }],
  length4: 24
})

export const LINKS: readonly Link[] = [cable(1, 'r1', 'r2'), cable(2, 'r1', 'icn'), cable(3, 'r2', 'fra'), cable(4, 'r1', 'iad'), cable(5, 'r2', 'iad'), access(1, 'r1', 'c1'), access(2, 'r2', 'c2')]

export const NODES: readonly string[] = [...ROUTERS, ...POPS, ...CLIENTS].map(({ name }) => name)

export interface Neighbour {
  readonly own: Side
  readonly peer: Side
}

/** The cables of a node, each seen from it. */
export function neighboursOf(node: string): Neighbour[] {
  return LINKS.flatMap(({ ends: [one, other] }) => (one.node === node ? [{ own: one, peer: other }] : other.node === node ? [{ own: other, peer: one }] : []))
}

/** AS numbers of those that speak BGP. */
export const asOf = (node: string): number | undefined => [...ROUTERS, ...POPS].find(({ name }) => name === node)?.as
