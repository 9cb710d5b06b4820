import type { Status, WhereReply } from '../daemon/control/api.ts'
import { COUNTRIES, countryName } from '../geodb/index.ts'
import { LANDS } from './map-lands.ts'
import { fillOf, GREY, splitOf, texturesOf, type Fill } from './map-fills.ts'
import { BOTTOM, frame, placeLabels, project, projectOutline, SOUTH, spread, WIDTH, type Spot } from './map-projection.ts'

// A map of the world as one SVG without scripts or anything fetched. Countries and swatches are drawn in tenths of a pixel, in whole numbers.

export interface Drawing {
  readonly where: WhereReply
  readonly status: Pick<Status, 'members' | 'targets'>
  /** What was supposed of health, as it was given. */
  readonly assume?: string
  /** Wall milliseconds. */
  readonly now: number
}

/** A target as it is shown. */
interface Edge {
  readonly name: string
  readonly city: string
  readonly share: number
  readonly sign: 'up' | 'drained' | 'down'
  readonly state: string
  readonly fill: Fill
  readonly at?: readonly [number, number]
}

export function drawMap({ where, status, assume, now }: Drawing): string {
  const edges = where.targets.filter(({ name }) => name !== '').map((target, number) => edgeOf(target, number, status))
  const byName = new Map(edges.map((edge) => [edge.name, edge]))
  const countries = new Map(where.countries.map((country) => [country.country, country]))
  const splits = new Map<string, Fill>()
  const paint = (code: string): Paint => paintOf(code, countries.get(code), byName, splits)
  const lands = Object.entries(LANDS).map(([code, rings]) => shapeOf('path', paint(code), `d="${projectOutline(rings).map(pathOf).join('')}"`))
  const islands = [...countries.keys()].flatMap((code) => {
    const known = COUNTRIES[code]
    if (code in LANDS || known === undefined) return []
    const [x, y] = tenths(project(known[0], known[1]))
    return known[0] < SOUTH ? [] : [shapeOf('circle', paint(code), `cx="${x}" cy="${y}" r="26"`)]
  })
  const rows = legendOf(edges, splits.size > 0)
  const height = Math.ceil(BOTTOM + 30 + rows.height)
  const title = where.what === 'all' ? 'Who goes where: all names' : `Who goes where: ${where.what}`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title" font-family="system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif" font-size="13" fill="#1c2630">`,
    `<title id="title">${escape(title)}, ${timeText(now)}</title>`,
    `<defs>${texturesOf([...edges.map(({ fill }) => fill), ...splits.values()])}</defs>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="24" y="34" font-size="22" font-weight="700">${escape(clip(title, 72))}</text>`,
    `<text x="1176" y="34" text-anchor="end" fill="#52606d">${timeText(now)}</text>`,
    `<text x="24" y="56" fill="#52606d">${escape(clip(subtitleOf(where, assume), 170))}</text>`,
    `<g transform="scale(.1)" stroke="#fff" stroke-width="5" stroke-linejoin="round"><path d="${pathOf(frame())}" fill="#eaf0f5" stroke="none"/>`,
    ...lands,
    ...islands,
    '</g>',
    ...dotsOf(edges),
    ...rows.lines,
    '</svg>',
    ''
  ].join('\n')
}

function edgeOf({ name, share, answerable, at }: WhereReply['targets'][number], number: number, { members, targets }: Drawing['status']): Edge {
  const member = members.find((each) => each.name === name)
  const known = member ?? targets.find((each) => each.name === name)
  const isSupposed = member?.answerable !== undefined && member.answerable !== answerable
  const shown = { name, city: member?.city ?? '', share, fill: fillOf(number), ...(at !== undefined && { at }) }
  if (isSupposed) return { ...shown, sign: answerable ? 'up' : 'down', state: answerable ? 'up, supposed' : 'out, supposed' }
  const forced = known?.forced?.state
  if (!answerable && forced === 'drain') return { ...shown, sign: 'drained', state: 'drained' }
  const state = known === undefined ? 'not checked' : known.health === 'UNKNOWN' && forced === undefined ? 'not yet known' : `${answerable ? 'up' : 'down'}${forced === undefined ? '' : ', forced'}`
  return { ...shown, sign: answerable ? 'up' : 'down', state }
}

/** How one country is drawn. */
interface Paint {
  readonly code: string
  readonly edge: string
  readonly fill: string
  readonly title: string
}

/** Below this share of the first, the second shows too. */
const SPLIT_BELOW = 2 / 3

function paintOf(code: string, country: WhereReply['countries'][number] | undefined, edges: ReadonlyMap<string, Edge>, splits: Map<string, Fill>): Paint {
  const to = country?.to ?? []
  const first = edges.get(to[0]?.name ?? '')
  const parts = to.slice(0, 4).map(({ name, share }) => `${name === '' ? 'no address' : name} ${percent(share)}`).join(', ')
  const title = `<title>${escape(`${countryName(code)} (${code}): ${to.length === 0 ? 'no viewers known' : `${parts}; ${percent(country!.share)} of all viewers`}`)}</title>`
  if (first === undefined) return { code, edge: '', fill: GREY, title }
  const second = edges.get(to[1]?.name ?? '')
  if (to[0]!.share >= SPLIT_BELOW || second === undefined) return { code, edge: first.name, fill: first.fill.paint, title }
  const split = splitOf(first.fill, second.fill)
  splits.set(split.paint, split)
  return { code, edge: first.name, fill: split.paint, title }
}

const shapeOf = (tag: string, { code, edge, fill, title }: Paint, shape: string): string => `<${tag} data-country="${escape(code)}"${edge === '' ? '' : ` data-edge="${escape(edge)}"`} fill="${fill}" ${shape}>${title}</${tag}>`

/** Pixels that a letter of a label takes in the widest of the fonts. */
const WIDEST = 8.5

/** Dots of the edges and their labels, in that order: labels lie above. */
function dotsOf(edges: readonly Edge[]): string[] {
  const placed = edges.filter((edge) => edge.at !== undefined)
  const dots = spread(placed.map(({ at }) => project(...at!)))
  const texts = placed.map(({ name, share, sign, state }) => `${clip(name, 24)} ${sign === 'up' ? percent(share) : state}`)
  const labels = placeLabels(dots, texts.map((text) => text.length * WIDEST))
  const drawn = placed.map((edge, index) => `<g data-dot="${escape(edge.name)}">${signOf(edge, dots[index]!)}<title>${escape(`${edge.name}: ${edge.state}, ${percent(edge.share)} of all viewers`)}</title></g>`)
  const lines = labels.flatMap((label, index) => (label?.line === undefined ? [] : [`<path d="M${dots[index]!.map(round).join(' ')}L${label.line.map(round).join(' ')}" stroke="#1c2630"/>`]))
  const written = labels.flatMap((label, index) => (label === undefined ? [] : [`<text x="${round(label.at[0])}" y="${round(label.at[1])}" text-anchor="${label.anchor}" font-weight="700" stroke="#fff" stroke-width="3.5" stroke-linejoin="round" paint-order="stroke">${escape(texts[index]!)}</text>`]))
  return [...lines, ...drawn, ...written]
}

/** Up: full. Drained: a ring. Down: a ring with a cross. */
function signOf({ sign, fill }: Pick<Edge, 'sign' | 'fill'>, [x, y]: Spot): string {
  const circle = `<circle cx="${round(x)}" cy="${round(y)}" r="6" fill="${sign === 'up' ? fill.colour : '#fff'}" stroke="#1c2630" stroke-width="2"/>`
  return sign === 'down' ? `${circle}<path d="M${round(x - 3)} ${round(y - 3)}l6 6m0-6l-6 6" stroke="#1c2630" stroke-width="2"/>` : circle
}

const COLUMNS = 3
const ROW = 24
/** Room in a cell for the name, the city and the state. */
const LETTERS = 31

/** Every target with its colour, state and share, and what the signs mean. */
function legendOf(edges: readonly Edge[], hasSplits: boolean): { readonly lines: string[]; readonly height: number } {
  const top = BOTTOM + 34
  const lines = edges.map((edge, index) => {
    const room = LETTERS - edge.state.length
    const [x, y] = [24 + (index % COLUMNS) * 392, top + Math.floor(index / COLUMNS) * ROW]
    const name = clip(edge.name, Math.min(22, room))
    const city = clip([edge.city, edge.at === undefined ? 'no coordinates' : ''].filter((each) => each !== '').join(', '), room - name.length)
    return `<g data-legend="${escape(edge.name)}">${swatch(edge.fill.paint, x, y)}${signOf(edge, [x + 38, y])}<text x="${x + 52}" y="${round(y + 5)}"><tspan font-weight="700">${escape(name)}</tspan> ${escape(city)}</text><text x="${x + 368}" y="${round(y + 5)}" text-anchor="end">${escape(edge.state)} · <tspan font-weight="700">${percent(edge.share)}</tspan></text></g>`
  })
  const y = top + Math.ceil(edges.length / COLUMNS) * ROW + 12
  const grey = { fill: '#52606d', y: round(y + 5) }
  const text = (x: number, said: string, more = ''): string => `<text x="${x}" y="${grey.y}" fill="${grey.fill}"${more}>${said}</text>`
  const plain = { colour: '#52606d', paint: '#52606d' }
  const signs = ([['up', 250], ['drained', 310], ['down', 400]] as const).map(([sign, x]) => `${signOf({ sign, fill: plain }, [x, y])}${text(x + 12, sign)}`)
  const key = [
    `<path d="M24 ${round(y - 20)}h1152" stroke="#d5dce3"/>`,
    swatch(GREY, 24, y), text(54, 'no viewers, or no answer'), ...signs,
    ...(hasSplits ? [text(480, 'striped: less than two thirds go to the first of the two edges')] : []),
    text(1176, 'Made with Natural Earth', ' text-anchor="end"')
  ]
  return { lines: [...lines, ...key], height: y - BOTTOM }
}

const swatch = (paint: string, x: number, y: number): string => `<g transform="scale(.1)"><rect x="${x * 10}" y="${Math.round(y * 10) - 70}" width="240" height="140" rx="20" fill="${paint}"/></g>`

function subtitleOf({ what, weighed, since, targets, countries }: WhereReply, assume: string | undefined): string {
  const how = weighed === 'queries' ? `by the queries counted since ${since === undefined ? '' : timeText(since)}` : `no queries are counted: by IPv4 addresses${what === 'all' ? ', each policy alike' : ''}`
  const lost = targets.find(({ name }) => name === '')?.share ?? 0
  const unknown = countries.find(({ country }) => country === '')?.share ?? 0
  return [
    ...(assume === undefined ? [] : [`as if ${assume.replaceAll(',', ', ')}`]),
    `shares are of all viewers, ${how}`,
    ...(lost > 0 ? [`${percent(lost)} get no address`] : []),
    ...(unknown >= 0.0005 ? [`${percent(unknown)} are in no known country`] : [])
  ].join('; ')
}

/** A closed path in tenths of a pixel. */
function pathOf(ring: readonly Spot[]): string {
  const points = ring.map(tenths)
  const steps = points.slice(1).flatMap(([x, y], index) => [x - points[index]![0], y - points[index]![1]])
  return `M${points[0]!.join(' ')}l${steps.join(' ')}z`.replaceAll(' -', '-')
}

const tenths = ([x, y]: Spot): Spot => [Math.round(x * 10), Math.round(y * 10)]
const round = (value: number): number => Math.round(value * 10) / 10
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
const timeText = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 16).replace('T', ' ')} UTC`

function clip(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, Math.max(0, most - 1))}…`
}

const MEANT: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text of XML 1.0: what it cannot hold at all is left out. */
function escape(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what is meant
  return text.replace(/[\p{Cs}\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/gu, '').replace(/[&<>"']/g, (each) => MEANT[each]!)
}
