import { readFileSync } from 'node:fs'

// Writes cli/map-lands.ts anew: node build/cli/docs/lands.js countries-110m.json > cli/map-lands.ts
// The input is countries-110m.json of the npm package world-atlas (ISC), which is Natural Earth (public domain) as TopoJSON.

type Point = readonly [number, number]
interface Topology {
  readonly transform: { readonly scale: Point; readonly translate: Point }
  readonly arcs: readonly (readonly Point[])[]
  readonly objects: { readonly countries: { readonly geometries: readonly Shape[] } }
}
interface Shape {
  readonly id?: string
  readonly type: 'Polygon' | 'MultiPolygon'
  readonly arcs: readonly (readonly number[])[] & readonly (readonly (readonly number[])[])[]
  readonly properties: { readonly name: string }
}

/** ISO 3166-1: the number, which the input has, and the two letters, which the database of countries has. */
const CODES =
  '004AF008AL010AQ012DZ024AO031AZ032AR036AU040AT044BS050BD051AM056BE064BT068BO070BA072BW076BR084BZ090SB096BN100BG104MM108BI112BY116KH120CM124CA140CF144LK' +
  '148TD152CL156CN158TW170CO178CG180CD188CR191HR192CU196CY203CZ204BJ208DK214DO218EC222SV226GQ231ET232ER233EE238FK242FJ246FI250FR260TF262DJ266GA268GE270GM275PS' +
  '276DE288GH300GR304GL320GT324GN328GY332HT340HN348HU352IS356IN360ID364IR368IQ372IE376IL380IT384CI388JM392JP398KZ400JO404KE408KP410KR414KW417KG418LA422LB426LS' +
  '428LV430LR434LY440LT442LU450MG454MW458MY466ML478MR484MX496MN498MD499ME504MA508MZ512OM516NA524NP528NL540NC548VU554NZ558NI562NE566NG578NO586PK591PA598PG600PY' +
  '604PE608PH616PL620PT624GW626TL630PR634QA642RO643RU646RW682SA686SN688RS694SL703SK704VN705SI706SO710ZA716ZW724ES728SS729SD732EH740SR748SZ752SE756CH760SY762TJ' +
  '764TH768TG780TT784AE788TN792TR795TM800UG804UA807MK818EG826GB834TZ840US854BF858UY860UZ862VE887YE894ZM'
/** What has no number in the input. The first two lie within the country whose code the database gives for their addresses. */
const UNNUMBERED: Readonly<Record<string, string>> = { 'N. Cyprus': 'CY', Somaliland: 'SO', Kosovo: 'XK' }
const NOT_DRAWN = 'AQ'

/** Tenths of a degree by which a line may lie beside the true one. */
const TOLERANCE = 1
/** Islands of less, in square degrees, are left out where the country has more. */
const LEAST_AREA = 0.25
/** The map is cut in the Bering Strait, where it cuts no country. */
const WEST = -1690

const { transform, arcs, objects } = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Topology
const codes = new Map([...CODES.matchAll(/(\d{3})(..)/g)].map(([, number, code]) => [number, code!]))
const lines = arcs.map((arc) => simplify(absolute(arc)))
const lands = new Map<string, string[]>()
for (const { id, type, arcs: own, properties } of objects.countries.geometries) {
  const code = id === undefined ? UNNUMBERED[properties.name] : codes.get(id)
  if (code === undefined) throw new Error(`no code for ${id} ${properties.name}`)
  if (code === NOT_DRAWN) continue
  const rings = (type === 'Polygon' ? (own as readonly (readonly number[])[]) : (own as readonly (readonly (readonly number[])[])[]).flat()).map(ringOf)
  const largest = Math.max(...rings.map(areaOf))
  for (const ring of rings.filter((each) => areaOf(each) >= Math.min(largest, LEAST_AREA * 100))) {
    // French Guiana is a part of France here, and a country of its own in the database.
    const owner = code === 'FR' && ring[0]![0] < -450 ? 'GF' : code
    lands.set(owner, [...(lands.get(owner) ?? []), encode(ring)])
  }
}
const rows = [...lands].sort(([a], [b]) => (a < b ? -1 : 1)).map(([code, rings]) => `  ${code}: '${rings.join(';')}'`)
process.stdout.write(`// Outlines of countries, for \`nearcast map\`. Made with Natural Earth (1:110m, naturalearthdata.com), which is in the public
// domain, as the npm package world-atlas 2.0.2 (ISC, (c) Michael Bostock) has it; written by cli/docs/lands.ts, not by hand.
// ISO 3166-1 alpha-2 (XK: Kosovo) -> rings with semicolons between: the longitude and latitude of a point in tenths of a
// degree, and from there the steps to each further one. Longitudes run from -169 to 191, for no country is cut there.
export const LANDS: Readonly<Record<string, string>> = {
${rows.join(',\n')}
}
`)

/** TopoJSON's steps in its own units -> points in tenths of a degree. */
function absolute(arc: readonly Point[]): Point[] {
  let x = 0
  let y = 0
  return arc.map(([dx, dy]) => {
    x += dx
    y += dy
    return [(x * transform.scale[0] + transform.translate[0]) * 10, (y * transform.scale[1] + transform.translate[1]) * 10]
  })
}

/** Douglas and Peucker; done on arcs, so that neighbours keep their border. */
function simplify(points: readonly Point[]): readonly Point[] {
  if (points.length < 3) return points
  const first = points[0]!
  const last = points.at(-1)!
  const length = Math.hypot(last[0] - first[0], last[1] - first[1])
  let far = 0
  let most = -1
  for (const [index, point] of points.entries()) {
    const [dx, dy] = [point[0] - first[0], point[1] - first[1]]
    const away = length === 0 ? Math.hypot(dx, dy) : Math.abs(dx * (last[1] - first[1]) - dy * (last[0] - first[0])) / length
    if (away > most) [far, most] = [index, away]
  }
  if (most <= TOLERANCE || far === 0) return [first, last]
  return [...simplify(points.slice(0, far + 1)), ...simplify(points.slice(far)).slice(1)]
}

/** Points of a ring, its last not repeated, on the side of the cut where most of it lies. */
function ringOf(indices: readonly number[]): Point[] {
  const points = indices.flatMap((index) => (index < 0 ? lines[~index]!.toReversed() : lines[index]!).slice(1))
  const unwrapped: Point[] = []
  for (const [x, y] of points) {
    const before = unwrapped.at(-1)?.[0] ?? x
    unwrapped.push([x + 3600 * Math.round((before - x) / 3600), y])
  }
  const middle = unwrapped.reduce((sum, [x]) => sum + x, 0) / unwrapped.length
  const shift = -3600 * Math.floor((middle - WEST) / 3600)
  return unwrapped.map(([x, y]) => [Math.round(x + shift), Math.round(y)])
}

/** In hundredths of a square degree. */
function areaOf(ring: readonly Point[]): number {
  return Math.abs(ring.reduce((sum, [x, y], index) => sum + x * ring[(index + 1) % ring.length]![1] - ring[(index + 1) % ring.length]![0] * y, 0)) / 2
}

function encode(ring: readonly Point[]): string {
  const steps = ring.map(([x, y], index) => (index === 0 ? [x, y] : [x - ring[index - 1]![0], y - ring[index - 1]![1]])).filter(([x, y], index) => index === 0 || x !== 0 || y !== 0)
  return steps.flat().join(' ').replaceAll(' -', '-')
}
