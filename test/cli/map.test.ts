import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Io } from '../../cli/command.ts'
import { main } from '../../cli/main.ts'
import { fillOf } from '../../cli/map-fills.ts'
import { LANDS } from '../../cli/map-lands.ts'
import { placeLabels, project, projectOutline, spread, WIDTH } from '../../cli/map-projection.ts'
import { drawMap, type Drawing } from '../../cli/map-svg.ts'
import type { MemberStatus, WhereReply } from '../../daemon/control/api.ts'
import { readPolicies } from '../../daemon/routing/index.ts'
import { answerQuestion } from '../../daemon/traffic/index.ts'
import { openWorld } from '../../daemon/world.ts'
import { buildZoneImage, readZone } from '../../daemon/zone/index.ts'
import { COUNTRIES, mergeOverrides, noPlaces, readOverrides } from '../../geodb/index.ts'
import { edges, healthOf } from '../routing/fleet.ts'

const ZONE = `$ORIGIN map.test.
$TTL 60
@ SOA ns hostmaster 1 3600 600 604800 60
  NS ns
ns A 192.0.2.1
www 20 ROUTE geo
`
const { image: routing, names } = readPolicies({ file: 'p', text: 'policies:\n  geo: { geolocation: { KR: { failover: [icn, nrt] }, BR: gru, ZA: { weighted: { gru: 1, fra: 1 } }, default: fra } }\n', targets: edges })
const { overrides } = readOverrides('places.yaml', 'networks: { 203.0.113.0/24: KR, 192.0.2.0/24: BR, 198.51.100.0/24: ZA, 198.18.0.0/24: SG }\n')
const image = { generation: 1, zones: buildZoneImage([readZone({ file: 'z', read: () => ZONE, policies: names }).zone!]), places: mergeOverrides(noPlaces(), overrides!), routing: routing!, health: healthOf(edges, {}), suspectTtl: 5 }
const members = edges.map(({ name, at }) => ({ name, role: 'edge', city: `City of ${name}`, addresses: [], health: 'UP', answerable: true, at })) as unknown as MemberStatus[]
const NOW = Date.UTC(2026, 10, 21, 16, 0)

/** Where everybody goes, as the daemon finds it. */
function where(what?: string, assume?: string): WhereReply | { readonly trouble: string } {
  return answerQuestion(openWorld(image), image, { kind: 'where', ...(what !== undefined && { what }), ...(assume !== undefined && { assume }) }) as WhereReply | { readonly trouble: string }
}

const draw = (more: Partial<Drawing> = {}): string => drawMap({ where: where() as WhereReply, status: { members, targets: [] }, now: NOW, ...more })
const countryIn = (svg: string, code: string): string | undefined => new RegExp(`<(?:path|circle) data-country="${code}"[^>]*?( fill="[^"]*")`).exec(svg)?.[1]?.slice(7, -1)
const paintOf = (name: string): string => fillOf(edges.findIndex((edge) => edge.name === name)).paint

t.test('a map is well-formed, has every edge, and each country has the colour of its edge', async (t) => {
  const svg = draw()
  checkXml(t, svg)
  for (const { name } of edges) {
    t.match(svg, `<g data-dot="${name}">`, `${name} has its dot`)
    t.match(svg, `<g data-legend="${name}">`, `${name} is in the legend`)
  }
  t.equal(new Set(edges.map((_, number) => fillOf(number).paint)).size, edges.length)
  t.equal(countryIn(svg, 'KR'), paintOf('icn'))
  t.equal(countryIn(svg, 'BR'), paintOf('gru'))
  t.equal(countryIn(svg, 'SG'), paintOf('fra'), 'what is too small for an outline is a point')
  t.equal(countryIn(svg, 'GL'), '#c3c9cf', 'nobody is known in Greenland')
  t.match(countryIn(svg, 'ZA'), /^url\(#[\da-f]{6}-[\da-f]{6}\)$/, 'half goes to each: striped')
  t.match(svg, /South Korea \(KR\): icn 100\.0 %; 25\.0 % of all viewers/)
  t.match(svg, '2026-11-21 16:00 UTC')
  t.notMatch(svg, /<script|href=|javascript:|<image|<foreignObject/, 'nothing runs and nothing is fetched')
})

t.test('a country moves when its edge is down, and the state of an edge is told', async (t) => {
  const supposed = draw({ where: where(undefined, 'icn=down') as WhereReply, assume: 'icn=down' })
  t.equal(countryIn(supposed, 'KR'), paintOf('nrt'))
  t.equal(countryIn(supposed, 'BR'), paintOf('gru'), 'others stay')
  t.match(supposed, 'as if icn=down')
  t.match(supposed, '<title>icn: out, supposed, 0.0 % of all viewers</title>')
  const reply = answerQuestion(openWorld({ ...image, health: healthOf(edges, { icn: 'down', gru: 'drain' }) }), image, { kind: 'where' }) as WhereReply
  const real = draw({ where: reply, status: { members: members.map((member) => (member.name === 'icn' ? { ...member, health: 'DOWN', answerable: false } : member.name === 'gru' ? { ...member, answerable: false, forced: { state: 'drain', why: 'x', since: 0 } } : member)), targets: [] } })
  t.equal(countryIn(real, 'KR'), paintOf('nrt'))
  t.match(real, '<title>icn: down, 0.0 %')
  t.match(real, /data-dot="gru">.*<title>gru: drained, /)
  checkXml(t, real)
})

t.test('names and whatever else is given are text, and stay within the picture', async (t) => {
  const bad = `<script>&"'\u0001\ud800]]>`
  const reply = where() as WhereReply
  const named = { ...reply, what: `name ${bad}`, countries: [{ country: 'KR', share: 1, to: [{ name: bad, share: 1 }] }], targets: [{ name: bad, share: 1, answerable: true, at: [0, 0] as const }, { name: '', share: 0.5, answerable: false }] }
  const svg = draw({ where: named, assume: bad, status: { members: [{ ...members[0]!, name: bad, city: bad }], targets: [] } })
  checkXml(t, svg)
  t.notMatch(svg, '<script')
  t.match(svg, 'data-legend="&lt;script&gt;&amp;&quot;&#39;]]&gt;"')
  t.match(svg, '50.0 % get no address')
  const many = Array.from({ length: 300 }, (_, number) => ({ name: `edge-${number}-${'x'.repeat(50)}`, share: 1 / 300, answerable: number % 2 === 0, at: [50 + (number % 7), number % 9] as const }))
  const crowd = draw({ where: { ...reply, targets: many } })
  checkXml(t, crowd)
  t.equal(crowd.match(/data-legend=/g)?.length, 300)
})

t.test('labels and dots lie beside each other, and outlines on one side of the cut', async (t) => {
  const dots = spread(edges.concat(edges).map(({ at }) => project(...at!)))
  for (const [index, [x, y]] of dots.entries()) for (const [otherX, otherY] of dots.slice(index + 1)) t.ok(Math.hypot(x - otherX, y - otherY) > 12, 'dots apart')
  const labels = placeLabels(dots, dots.map(() => 80))
  t.equal(labels.filter((label) => label !== undefined).length, dots.length)
  const lefts = labels.map((label) => ({ left: label!.at[0] - { start: 2, middle: 40, end: 78 }[label!.anchor], base: label!.at[1] }))
  for (const [index, one] of lefts.entries()) for (const other of lefts.slice(index + 1)) t.ok(Math.abs(one.left - other.left) >= 79.9 || Math.abs(one.base - other.base) >= 15.9, 'labels apart')
  for (const [code, rings] of Object.entries(LANDS)) {
    t.ok(code in COUNTRIES, `${code} is a country`)
    for (const ring of projectOutline(rings)) {
      const across = ring.map(([x], index) => Math.abs(x - ring[(index + 1) % ring.length]![0]))
      t.ok(Math.max(...across) < WIDTH / 4 && ring.every(([x, y]) => x > 0 && x < WIDTH && Number.isFinite(y)), `${code} is whole`)
    }
  }
  const [seoul, tokyo, lima] = [project(37.5, 127), project(35.7, 139.7), project(-12, -77)]
  t.ok(lima[0] < seoul[0] && seoul[0] < tokyo[0] && lima[1] > tokyo[1], 'east is right, north is up')
})

t.test('the command writes the file that is named, or the name, or standard output; and what is mistyped gets one line', async (t) => {
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://x')
    const found = url.pathname === '/v1/where' ? where(url.searchParams.get('what') ?? undefined, url.searchParams.get('assume') ?? undefined) : { members, targets: [] }
    response.writeHead('trouble' in found ? 400 : 200).end(JSON.stringify('trouble' in found ? { error: found.trouble } : found))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const folder = t.testdir()
  mkdirSync(join(folder, 'state'), { recursive: true })
  writeFileSync(join(folder, 'state/fleet.json'), JSON.stringify({ pid: process.pid, startedAt: 0, admin: { address: '127.0.0.1', port: (server.address() as AddressInfo).port } }))
  writeFileSync(join(folder, 'state/admin.token'), 'secret\n')
  const run = async (...words: string[]): Promise<{ status: number; out: string; err: string }> => {
    const said = { out: '', err: '' }
    const io: Io = { out: (text) => void (said.out += text), err: (text) => void (said.err += text), columns: 100, colour: false, readable: false, cwd: folder }
    return { status: await main(['map', ...words, '--state', join(folder, 'state')], io), ...said }
  }
  t.match(await run(), { status: 0, out: /^map\.svg: all names; fra 37\.5 %, gru 37\.5 %, icn 25\.0 %\n$/, err: '' })
  checkXml(t, readFileSync(join(folder, 'map.svg'), 'utf8'))
  t.match(await run('www.map.test'), { status: 0, out: /^www\.map\.test\.svg: name www\.map\.test\.; / })
  t.match(await run('geo', '-o', 'other.svg', '--assume', 'icn=down'), { status: 0, out: /^other\.svg: policy geo; .*nrt 25\.0 %/ })
  t.match(readFileSync(join(folder, 'other.svg'), 'utf8'), 'as if icn=down')
  t.match(await run('-o', '-'), { status: 0, out: /^<svg [\s\S]*<\/svg>\n$/ })
  t.match(JSON.parse((await run('--json')).out), { what: 'all', weighed: 'addresses' })
  for (const [words, expected] of [
    [['gep'], /gep is neither a name that is steered nor a policy that steers one \(did you mean geo\?\)/],
    [['--assume', 'icm=down'], /icm/],
    [['--assume', 'icn=donw'], /donw is no state to assume \(did you mean down\?\)/],
    [['--asume', 'icn=down'], /did you mean --assume\?/],
    [['-o'], /-o needs a value/]
  ] as const) {
    const { status, out, err } = await run(...words)
    t.match({ status, out, err }, { status: 2, out: '', err: expected }, words.join(' '))
    t.match(err, /^nearcast: [^\n]+\n$/, 'one line')
  }
  t.match(await run('-o', 'no/such/map.svg'), { status: 1, err: /^nearcast: no\/such\/map\.svg cannot be written: [^\n]+\n$/ })
})

/** Every tag is closed in its turn, attributes are quoted and there once, text holds nothing that should be escaped: XML 1.0 as far as it is used. */
function checkXml(t: Test, text: string): void {
  const open: string[] = []
  const wrong: string[] = []
  const token = /<(\/?)([a-zA-Z]+)((?: [\w:-]+="[^"<]*")*)(\/?)>|([^<]+)/gy
  let end = 0
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    end = token.lastIndex
    const [whole, closing, tag, attributes = '', empty, words] = match
    if (/&(?!amp;|lt;|gt;|quot;|#39;)/.test(words ?? attributes) || words?.includes(']]>') === true) wrong.push(whole)
    const keys = [...attributes.matchAll(/ ([\w:-]+)=/g)].map(([, key]) => key)
    if (new Set(keys).size < keys.length) wrong.push(whole)
    if (tag === undefined) continue
    if (closing === '/') {
      if (open.pop() !== tag) wrong.push(whole)
    } else if (empty !== '/') open.push(tag)
  }
  const ids = [...text.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id)
  const used = [...text.matchAll(/url\(#([^)]*)\)/g)].map(([, id]) => id)
  t.same({ wrong, open, end, twice: ids.length - new Set(ids).size, lost: used.filter((id) => !ids.includes(id)) }, { wrong: [], open: [], end: text.length, twice: 0, lost: [] }, 'well-formed')
  // eslint-disable-next-line no-control-regex -- what XML cannot hold
  t.notMatch(text, /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}|NaN|undefined/u)
}
