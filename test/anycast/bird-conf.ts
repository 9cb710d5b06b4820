import { asOf, neighboursOf, PREFIXES, type Neighbour, type Pop, type Router } from './map.ts'

// What the BIRDs of the lab are told. A PoP's is what an operator would write: it announces its own address always, and
// the anycast prefixes as far as the include says.

export const INCLUDE = 'nearcast.conf'

/** Everything is announced, for a lab without Nearcast. */
export const ALL_UP = `define NEARCAST_UP4 = [ ${PREFIXES.filter((prefix) => !prefix.includes(':')).join(', ')} ];
define NEARCAST_UP6 = [ ${PREFIXES.filter((prefix) => prefix.includes(':')).join(', ')} ];
`

/** Sessions come back within seconds, and a host that says nothing is gone after nine. */
const TIMERS = 'hold time 9; keepalive time 3; connect delay time 1; connect retry time 1; startup hold time 9; error wait time 1, 2; error forget time 5;'

const head = ({ id }: Router, log: string): string => `log "${log}" all;
router id ${id};
protocol device { scan time 2; }
protocol kernel kernel4 { ipv4 { import none; export where source = RTS_BGP; }; }
protocol kernel kernel6 { ipv6 { import none; export where source = RTS_BGP; }; }
`

function session(as: number, { own, peer }: Neighbour, family: 4 | 6, channel: string): string {
  const [from, to] = family === 4 ? [own.ipv4, peer.ipv4] : [own.ipv6, peer.ipv6]
  return `protocol bgp ${peer.node}_${family} { local ${from} as ${as}; neighbor ${to} as ${asOf(peer.node)!}; ${TIMERS} ipv${family} { ${channel} }; }\n`
}

/** A router announces the networks behind it and passes on what it hears; towards a PoP with two routers it puts its AS in front once more. */
export function routerConf(router: Router, log: string): string {
  const bgp = neighboursOf(router.name).filter(({ peer }) => asOf(peer.node) !== undefined)
  const clients = neighboursOf(router.name).filter(({ peer }) => asOf(peer.node) === undefined)
  const sessions = bgp.flatMap((neighbour) => ([4, 6] as const).map((family) => {
    const longer = neighbour.peer.node === 'iad' ? `bgp_path.prepend(${router.as}); ` : ''
    return session(router.as, neighbour, family, `import all; export filter { if source !~ [RTS_BGP, RTS_DEVICE] then reject; ${longer}accept; };`)
  }))
  return `${head(router, log)}protocol direct { ipv4; ipv6; interface ${clients.map(({ peer }) => `"${peer.node}"`).join(', ')}; }
${sessions.join('')}`
}

const staticRoutes = (name: string, family: 4 | 6, prefixes: readonly string[]): string => {
  const own = prefixes.filter((prefix) => prefix.includes(':') === (family === 6))
  return `protocol static ${name}${family} { ipv${family}; ${own.map((prefix) => `route ${prefix} blackhole;`).join(' ')} }\n`
}

export function popConf(pop: Pop, log: string): string {
  const far = `bgp_path.prepend(${pop.as}); `.repeat(pop.prepends)
  const statics = ([4, 6] as const).flatMap((family) => [staticRoutes('own', family, [`${pop.ipv4}/32`, `${pop.ipv6}/128`]), staticRoutes('anycast', family, PREFIXES)])
  const filters = ([4, 6] as const).map((family) => `filter upstream${family} {
  if proto = "own${family}" then accept;
  if proto != "anycast${family}" || net !~ NEARCAST_UP${family} then reject;
  ${far}accept;
}
`)
  const sessions = neighboursOf(pop.name).flatMap((neighbour) => ([4, 6] as const).map((family) => session(pop.as, neighbour, family, `import all; export filter upstream${family};`)))
  return `include "${INCLUDE}";\n${head(pop, log)}${[...statics, ...filters, ...sessions].join('')}`
}
