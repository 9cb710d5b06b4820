import { asOf, neighboursOf, POPS, PREFIXES, type Neighbour, type Pop, type Router } from './map.ts'

// What the BIRDs of the lab are told. A PoP's is what an operator would write: it sends what the include says, and nothing else.

export const INCLUDE = 'nearcast.conf'

const familyOf = (prefix: string): 4 | 6 => (prefix.includes(':') ? 6 : 4)

/** An include as Nearcast writes it, with everything announced: for a lab without Nearcast, and before its daemons have come up. */
export const ALL_UP = `${([4, 6] as const).map((family) => `protocol static nearcast${family} { ipv${family}; ${PREFIXES.filter((prefix) => familyOf(prefix) === family).map((prefix) => `route ${prefix} blackhole;`).join(' ')} }\n`).join('')}filter nearcast { if proto != "nearcast4" && proto != "nearcast6" then reject; accept; }
`

/** Sessions come back within seconds, and a host that says nothing is gone after nine. */
const TIMERS = 'hold time 9; keepalive time 3; connect delay time 1; connect retry time 1; startup hold time 9; error wait time 1, 2; error forget time 5;'

/** @param from addresses that this machine speaks from, where those of its interfaces lead nowhere */
function head({ id }: Router, log: string, from?: Pick<Pop, 'ipv4' | 'ipv6'>): string {
  const kernel = (family: 4 | 6): string => `protocol kernel kernel${family} { ipv${family} { import none; export filter { if source !~ [RTS_BGP, RTS_STATIC] || dest = RTD_BLACKHOLE then reject; ${from === undefined ? '' : `krt_prefsrc = ${from[`ipv${family}`]}; `}accept; }; }; }\n`
  return `log "${log}" all;
router id ${id};
protocol device { scan time 2; }
${kernel(4)}${kernel(6)}`
}

function session(as: number, { own, peer }: Neighbour, family: 4 | 6, channel: string): string {
  const [from, to] = family === 4 ? [own.ipv4, peer.ipv4] : [own.ipv6, peer.ipv6]
  return `protocol bgp ${peer.node}_${family} { local ${from} as ${as}; neighbor ${to} as ${asOf(peer.node)!}; ${TIMERS} ipv${family} { ${channel} }; }\n`
}

/** A router announces clients and PoPs beside it and passes on what it hears. What comes from a PoP that is far away has its AS in front more often, and what goes there the router's own. */
export function routerConf(router: Router, log: string): string {
  const neighbours = neighboursOf(router.name)
  const clients = neighbours.filter(({ peer }) => asOf(peer.node) === undefined)
  const pops = neighbours.flatMap((neighbour) => POPS.filter(({ name }) => name === neighbour.peer.node).map((pop) => ({ ...neighbour, pop })))
  const sessions = neighbours.filter(({ peer }) => asOf(peer.node) !== undefined).flatMap((neighbour) => ([4, 6] as const).map((family) => {
    const far = POPS.find(({ name }) => name === neighbour.peer.node)
    const times = far?.prepends ?? 0
    const longer = times === 0 ? '' : `bgp_path.prepend(${router.as}); `
    return session(router.as, neighbour, family, `import filter { ${`bgp_path.prepend(${far?.as ?? 0}); `.repeat(times)}accept; }; export filter { if source !~ [RTS_BGP, RTS_DEVICE, RTS_STATIC] then reject; ${longer}accept; };`)
  }))
  const routes = (family: 4 | 6): string => pops.map(({ pop, peer }) => (family === 4 ? `route ${pop.ipv4}/32 via ${peer.ipv4};` : `route ${pop.ipv6}/128 via ${peer.ipv6};`)).join(' ')
  return `${head(router, log)}protocol direct { ipv4; ipv6; interface ${clients.map(({ peer }) => `"${peer.node}"`).join(', ')}; }
protocol static pops4 { ipv4; ${routes(4)} }
protocol static pops6 { ipv6; ${routes(6)} }
${sessions.join('')}`
}

/** Names of its BGP sessions. */
export const upstreamsOf = (pop: Pop): string[] => neighboursOf(pop.name).flatMap(({ peer }) => [`${peer.node}_4`, `${peer.node}_6`])

export function popConf(pop: Pop, log: string): string {
  const sessions = neighboursOf(pop.name).flatMap((neighbour) => ([4, 6] as const).map((family) => session(pop.as, neighbour, family, 'import all; export filter nearcast;')))
  return `include "${INCLUDE}";\n${head(pop, log, pop)}${sessions.join('')}`
}
