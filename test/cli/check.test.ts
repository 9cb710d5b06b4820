import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { main } from '../../cli/main.ts'
import { issueCertificate, makeAuthority } from '../../fleet/authority/index.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** A copy of the bundled configuration and zones, and the check run in it. */
function makeBench(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'check-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  cpSync(join(root, 'nearcast.yaml'), join(folder, 'nearcast.yaml'))
  cpSync(join(root, 'zones'), join(folder, 'zones'), { recursive: true })
  const edit = (file: string, change: (text: string) => string): void => writeFileSync(join(folder, file), change(readFileSync(join(folder, file), 'utf8')))
  const check = async (...words: string[]): Promise<{ status: number; out: string[]; err: string }> => {
    let out = ''
    let err = ''
    const io = { out: (text: string) => void (out += text), err: (text: string) => void (err += text), columns: 100, colour: false, readable: false, cwd: folder }
    const status = await main(['check', ...words], io)
    return { status, out: out.split('\n').filter((line) => line !== ''), err: err.trimEnd() }
  }
  return { folder, edit, check }
}

t.test('what is bundled is well, in one short line', async (t) => {
  const { check } = makeBench(t)
  const { status, out, err } = await check()
  t.same([status, out.length, err], [0, 1, ''])
  t.match(out[0], /^all is well: nearcast\.yaml, zones\/policies\.yaml \(3 policies\), zones\/nearcast\.test\.zone \(\d+ records\)$/)
})

t.test('every fault of every file is told at once, at its place and with a hint', async (t) => {
  const { check, edit, folder } = makeBench(t)
  edit('nearcast.yaml', (text) => `${text}edgs: {}\n`)
  edit('zones/policies.yaml', (text) => text.replace('[icn, nrt]', '[icn, nrtt]').replace('nearest: 95', 'nearst: 95'))
  edit('zones/nearcast.test.zone', (text) => `${text}bad A 192.0.2.300\nworse ROUTE vidoe\n`)
  const lines = (file: string): number => readFileSync(join(folder, file), 'utf8').split('\n').length - 1
  const lineOf = (wanted: string): number => readFileSync(join(folder, 'zones/policies.yaml'), 'utf8').split('\n').findIndex((line) => line.includes(wanted)) + 1
  const { status, out, err } = await check()
  t.equal(status, 1)
  t.equal(out.length, 5, out.join('\n'))
  t.equal(out[0], `nearcast.yaml:${lines('nearcast.yaml')}:1: unknown key edgs (did you mean edges?)`)
  t.match(out[1], new RegExp(`^zones/policies\\.yaml:${lineOf('nrtt')}:\\d+: .*nrtt \\(did you mean nrt\\?\\)$`))
  t.match(out[2], new RegExp(`^zones/policies\\.yaml:${lineOf('nearst')}:\\d+: .*nearst \\(did you mean nearest\\?\\)$`))
  t.match(out[3], new RegExp(`^zones/nearcast\\.test\\.zone:${lines('zones/nearcast.test.zone') - 1}:7: `))
  t.match(out[4], new RegExp(`^zones/nearcast\\.test\\.zone:${lines('zones/nearcast.test.zone')}:13: .*did you mean video\\?`))
  t.equal(err, 'nearcast: 5 faults in 3 files')
})

t.test('a configuration with a fault still says which edges policies may name', async (t) => {
  const { check, edit } = makeBench(t)
  edit('nearcast.yaml', (text) => `${text}edgs: {}\n`)
  const { out } = await check()
  t.equal(out.length, 1, out.join('\n'))
  const mistyped = makeBench(t)
  mistyped.edit('nearcast.yaml', (text) => text.replace(/^edges:/m, 'edgse:'))
  t.match((await mistyped.check()).out, { length: 1, 0: /^nearcast\.yaml:\d+:1: unknown key edgse \(did you mean edges\?\)$/ })
  // Also where it is no YAML any more.
  const broken = makeBench(t)
  broken.edit('nearcast.yaml', (text) => `${text}edges: {}\n`)
  t.match((await broken.check()).out, [/^nearcast\.yaml:\d+:1: [\w-]+ stands here twice$/])
  broken.edit('nearcast.yaml', (text) => text.replace('edges: {}\n', '').replace('local: KR', 'local: KR, asn: none'))
  t.match((await broken.check()).out, { length: 1, 0: /^nearcast\.yaml:\d+:\d+: Nested mappings/ })
})

t.test('a view without its folder is told beside all else, and so is a folder without its view', async (t) => {
  const { check, edit, folder } = makeBench(t)
  edit('nearcast.yaml', (text) => text.replace(/^dns:$/m, 'dns:\n  views: { office: [10.0.0.0/8] }'))
  edit('zones/nearcast.test.zone', (text) => `${text}bad A 192.0.2.300\n`)
  mkdirSync(join(folder, 'zones/views/ofice'), { recursive: true })
  const { status, out } = await check()
  t.equal(status, 1)
  t.match(out, [
    /^nearcast\.yaml:5:12: dns\.views\.office: there is no folder zones\/views\/office\/, which its zones stand in \(did you mean ofice\?\)$/,
    /^nearcast\.yaml:5:3: warning: dns\.views has no view ofice: nobody is answered from zones\/views\/ofice\/ /,
    /^zones\/nearcast\.test\.zone:\d+:7: /
  ])
  t.equal(out.length, 3, out.join('\n'))
  edit('nearcast.yaml', (text) => text.replace('office:', 'ofice:'))
  t.match((await check()).out, { length: 1 })
})

t.test('a loop of policies is told beside other faults', async (t) => {
  const { check, edit, folder } = makeBench(t)
  const above = readFileSync(join(folder, 'zones/policies.yaml'), 'utf8').split('\n').length - 1
  edit('zones/policies.yaml', (text) => `${text}  a: b\n  b: { failover: [a, icn] }\n  c: { simple: [nobody] }\n`)
  const { status, out } = await check()
  t.equal(status, 1)
  t.match(out, [new RegExp(`^zones/policies\\.yaml:${above + 2}:\\d+: policies lead in a loop: a -> b -> a$`), new RegExp(`^zones/policies\\.yaml:${above + 3}:\\d+: .*nobody`)])
  t.equal(out.length, 2, 'and no warning of what is not used, which only the whole would show')
})

t.test('warnings do not fail', async (t) => {
  const { check, edit } = makeBench(t)
  edit('zones/policies.yaml', (text) => `${text}  spare: { simple: [icn] }\n`)
  const { status, out } = await check()
  t.equal(status, 0)
  t.equal(out.length, 2)
  t.match(out[0], /^zones\/policies\.yaml:\d+:3: warning: .*spare/)
  t.match(out[1], /^all is well, 1 warning: /)
})

t.test('some files alone, told apart by name and content', async (t) => {
  const { check, edit, folder } = makeBench(t)
  edit('nearcast.yaml', (text) => `${text}edgs: {}\n`)
  t.equal((await check('zones/policies.yaml', 'zones/nearcast.test.zone')).status, 0, 'the configuration was not asked for')
  writeFileSync(join(folder, 'mine.yaml'), 'policies: { a: { simple: [nobody] } }\n')
  t.match((await check('mine.yaml')).out, [/^mine\.yaml:1:\d+: .*nobody/])
  t.match((await check('nearcast.yaml')).out, [/^nearcast\.yaml:\d+:1: unknown key edgs/])
  const elsewhere = join(folder, 'elsewhere')
  mkdirSync(elsewhere)
  writeFileSync(join(elsewhere, 'policies.yaml'), 'policies: { theirs: { simple: [icn] } }\n')
  writeFileSync(join(elsewhere, 'example.org.zone'), '@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\nwww 60 ROUTE theirs\nold 60 ROUTE video\n')
  t.match((await check('elsewhere/example.org.zone')).out, [/^elsewhere\/example\.org\.zone:5:14: there is no policy video/], 'the policies beside it count')
})

t.test('one zone file on its own', async (t) => {
  const { check, folder } = makeBench(t)
  const text = '@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\nwww 60 ROUTE anything\n'
  writeFileSync(join(folder, 'draft'), text)
  t.same(await check('--zone', 'example.org', 'draft'), { status: 0, out: ['all is well: draft (4 records)'], err: '' })
  writeFileSync(join(folder, 'draft'), text.replace('@ 60 NS ns\n', 'other.example. 60 NS ns\n'))
  const { status, out } = await check('--zone', 'example.org', 'draft')
  t.equal(status, 1)
  t.match(out, [/^draft:/, /^draft:/])
})

t.test('a zone that stands in two files is refused in the second', async (t) => {
  const { check, folder } = makeBench(t)
  writeFileSync(join(folder, 'zones/z.zone'), '; a copy\n$ORIGIN Nearcast.Test.\n@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n')
  const { status, out } = await check()
  t.equal(status, 1)
  t.match(out, [/^zones\/z\.zone:3:\d+: the zone nearcast\.test\. already stands in zones\/nearcast\.test\.zone$/])
})

t.test('what cannot be checked is told in one line, with exit status 2', async (t) => {
  const { check } = makeBench(t)
  for (const [words, line] of [
    [['nobody.zone'], 'there is no file nobody.zone'],
    [['--zones', 'nowhere'], 'there is no folder nowhere/'],
    [['--config', 'nowhere.yaml'], 'there is no file nowhere.yaml'],
    [['zones'], 'zones: expected a file'],
    [['--zone', 'example.org'], 'check --zone needs one FILE: nearcast check --zone ORIGIN FILE'],
    [['--zone', 'a..b', 'nearcast.yaml'], /--zone a\.\.b: expected the name of a zone/]
  ] as const) {
    const { status, out, err } = await check(...words)
    t.same([status, out, err.split('\n').length], [2, [], 1])
    t.match(err, line)
  }
})

t.test('zones that are steered by nothing need no policies.yaml', async (t) => {
  const { check, edit, folder } = makeBench(t)
  rmSync(join(folder, 'zones/policies.yaml'))
  const steered = await check()
  t.equal(steered.status, 1)
  t.match(steered.out[0], /^zones\/nearcast\.test\.zone:14:28: there is no policy video/)
  edit('zones/nearcast.test.zone', (text) => text.split('\n').filter((line) => !/ROUTE|ALIAS|CNAME/.test(line)).join('\n'))
  t.match(await check(), { status: 0, out: [/^all is well: nearcast\.yaml, zones\/nearcast\.test\.zone \(\d+ records\)$/] })
})

t.test('a secondary zone that has a file is told of, as the daemon would', async (t) => {
  const { check, edit } = makeBench(t)
  edit('nearcast.yaml', (text) => `${text}peers: { west: { address: 192.0.2.53 } }\nzones: { nearcast.test: { primaries: [west] } }\n`)
  t.match(await check(), { status: 1, out: [/^zones\/nearcast\.test\.zone:1:1: nearcast\.test\. is a secondary zone, which has no file \(take the file away/] })
})

t.test('a peer in a country that there is not is told of, and a short secret is warned of', async (t) => {
  const { check, edit, folder } = makeBench(t)
  writeFileSync(join(folder, 'short.keys'), `key short { algorithm hmac-sha256; secret "${Buffer.alloc(15, 1).toString('base64')}"; };\n`)
  edit('nearcast.yaml', (text) => `${text}keys: [short.keys]\npeers: { west: { address: 192.0.2.53, key: short, place: XX } }\n`)
  t.match(await check(), { status: 1, out: [/^short\.keys:1:5: warning: the secret of key short\. has 15 octets, and hmac-sha256 wants 32/, /^nearcast\.yaml:\d+:\d+: peers\.west\.place: there is no country XX \(codes are those of ISO 3166-1/] })
  edit('nearcast.yaml', (text) => text.replace('place: XX', 'place: US'))
  t.match(await check(), { status: 0, out: [/^short\.keys:1:5: warning/, /^all is well, 1 warning/] })
})

t.test('networks are read with the policies, from files of their own too, and every mistype of them is told at its place', async (t) => {
  const { check, edit, folder } = makeBench(t)
  mkdirSync(join(folder, 'zones/networks'))
  writeFileSync(join(folder, 'zones/networks/office.txt'), '# the office\n192.0.2.0/24\n2001:db8::/32 # and its IPv6\n')
  edit('zones/policies.yaml', (text) => `${text}  inside: { view: { office: icn, default: empty } }\n  by: { network: { office: icn, 198.51.100.0/24: fra, default: nearest } }\nnetworks:\n  office: { file: networks/office.txt }\n`)
  const { status, out } = await check()
  t.equal(status, 0, out.join('\n'))
  t.match(out.at(-1), /zones\/policies\.yaml \(5 policies\)/)

  writeFileSync(join(folder, 'zones/networks/office.txt'), '192.0.2.1/24\n\n 300.0.0.0/8\n2001:db8::/129\n::ffff:192.0.2.0/120\n')
  edit('zones/policies.yaml', (text) => text.replace('{ office: icn, 198.51.100.0/24: fra,', '{ offise: icn, as-64500: gru, 198.51.100.1/24: fra,').replace('{ view: { office: icn,', '{ view: { as-1: icn,'))
  edit('zones/policies.yaml', (text) => `${text}  gone: { file: networks/gone.txt }\n  as-7: [192.0.2.0/24]\n  other: { prefix: 192.0.2.0/24, as: [0] }\n`)
  const faults = await check()
  t.equal(faults.status, 1)
  for (const wanted of [
    /^zones\/policies\.yaml:\d+:\d+: there are no networks offise \(did you mean office\?\)/,
    /as-64500: no database says which networks are whose \(put GeoLite2-ASN\.mmdb into geodb\/, or name a database under geo\.asn\)/,
    /198\.51\.100\.1\/24: expected .* \(did you mean 198\.51\.100\.0\/24\?\)/,
    /as-1: this goes by addresses alone: .* \(name its prefixes\)/,
    /there is no file networks\/gone\.txt \(its path is from the folder of this file\)/,
    /as-7: the name of networks /,
    /unknown key prefix \(did you mean prefixes\?\)/,
    /0: expected the number of an autonomous system, such as 64500/,
    /^zones\/networks\/office\.txt:1:1: 192\.0\.2\.1\/24: has bits set behind its length \(did you mean 192\.0\.2\.0\/24\?\)/,
    /^zones\/networks\/office\.txt:3:2: 300\.0\.0\.0\/8: expected an address or a prefix/,
    /^zones\/networks\/office\.txt:4:1: 2001:db8::\/129: expected a length of 0 to 128/,
    /^zones\/networks\/office\.txt:5:1: .* \(write 192\.0\.2\.0\/24\)/
  ]) t.ok(faults.out.some((line) => wanted.test(line)), `${String(wanted)} in\n${faults.out.join('\n')}`)
})

t.test('a behaviour that no request comes to is warned of', async (t) => {
  const { check, edit } = makeBench(t)
  const rest = ['/a/?', '/a/*', '/b*', '/b*.png', '/*', '/c'].map((path) => `      - { path: "${path}", origin: demo }\n`).join('')
  edit('nearcast.yaml', (text) => text.replace(/ +- \{ path: .*\n/, `      - { path: "/*", when: { method: [POST] }, origin: demo }\n${rest}`))
  const { status, out } = await check()
  t.equal(status, 0)
  t.match(out, [/:\d+:17: warning: distributions\.d111111abcdef8\.behaviours\.4\.path: \/b\*\.png is never reached: behaviours\.3 before it takes \/b\*$/, /behaviours\.6\.path: \/c is never reached: behaviours\.5 before it takes \/\*$/, /^all is well, 2 warnings/])
})

t.test('certificates that cannot be shown are told of where they are named, and names that they are not for', async (t) => {
  const { folder, check, edit } = makeBench(t)
  const authority = makeAuthority('test', Date.now(), Date.now() + 86_400_000)
  for (const [name, host] of [['a', 'nearcast.test'], ['b', 'nearcast.test']] as const) {
    const { certificate, key } = issueCertificate(authority, [host], Date.now(), Date.now() + 86_400_000)
    writeFileSync(join(folder, `${name}.pem`), certificate)
    writeFileSync(join(folder, `${name}.key`), key)
  }
  edit('nearcast.yaml', (text) => text.replace('https: {}', 'https: { certificate: a.pem, key: b.key }').replace('    aliases: [', '    certificate: a.pem\n    key: a.key\n    aliases: ['))
  const { status, out } = await check()
  t.equal(status, 1)
  t.match(out[0], /^nearcast\.yaml:\d+:35: https\.key: b\.key: the private key is not that of the certificate$/)
  t.match(out.slice(1), [/^nearcast\.yaml:\d+:18: warning: distributions\.d111111abcdef8\.certificate: a\.pem: the certificate is not for d111111abcdef8\.nearcast\.test$/, /not for www\.nearcast\.test$/])
  edit('nearcast.yaml', (text) => text.replace('key: b.key', 'key: c.key'))
  t.match((await check()).out[0], /https\.key: c\.key: cannot be read: no such file or directory$/)
  edit('nearcast.yaml', (text) => text.replace(', key: c.key', ''))
  t.match((await check()).out[0], /^nearcast\.yaml:\d+:23: https\.certificate: needs key: beside it$/)
})

t.test('a scenario of a drill is checked as one, with the members of the fleet', async (t) => {
  const { check, folder } = makeBench(t)
  mkdirSync(join(folder, 'drills'), { recursive: true })
  writeFileSync(join(folder, 'drills/good.yaml'), 'about: two of them\nkill: [icn, daemon]\nlimits: { answer: 1s }\n')
  writeFileSync(join(folder, 'drills/bad.yaml'), 'about: mistyped\nslow: { icnn: 500ms }\nlimits: { anwser: 1s }\n')
  t.match(await check('drills/good.yaml'), { status: 0, out: ['all is well: drills/good.yaml (a scenario)'] })
  const bad = await check('drills/bad.yaml')
  t.equal(bad.status, 1)
  t.same(bad.out.slice(0, 2), ['drills/bad.yaml:2:9: there is no member icnn (did you mean icn?)', 'drills/bad.yaml:3:11: unknown key anwser (did you mean answer?)'])
})
