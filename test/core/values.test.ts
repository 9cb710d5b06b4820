import fc from 'fast-check'
import t from 'tap'
import { formatAddress, ipv4Number, maskBytes, parseAddress, parsePrefix } from '../../core/address.ts'
import { matchesGlob } from '../../core/glob.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../core/quantity.ts'
import { editDistance, nearest, suggestion } from '../../core/suggest.ts'

t.test('addresses and prefixes', async (t) => {
  t.same([...parseAddress('192.0.2.1')!.bytes], [192, 0, 2, 1])
  t.same([...parseAddress('::1')!.bytes], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  t.equal(formatAddress(parseAddress('2001:DB8:0:0:0::1')!.bytes), '2001:db8::1')
  t.equal(ipv4Number(parseAddress('255.0.0.1')!.bytes), 0xff000001)
  for (const wrong of ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.4/24', 'fe80::1%lo', ':::', '1::2::3', 'x', ' 1.2.3.4']) t.equal(parseAddress(wrong), undefined, wrong)
  t.match(parsePrefix('192.0.2.0/24'), { family: 4, length: 24 })
  t.match(parsePrefix('192.0.2.7'), { family: 4, length: 32 })
  t.match(parsePrefix('2001:db8::/32'), { family: 6, length: 32 })
  for (const wrong of ['192.0.2.1/24', '192.0.2.0/33', '192.0.2.0/', '192.0.2.0/a', '/8']) t.equal(parsePrefix(wrong), undefined, wrong)
  t.same([...maskBytes(Uint8Array.of(255, 255, 255, 255), 11)], [255, 224, 0, 0])
})

t.test('any address reads back as it is written', async () => {
  const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
  fc.assert(fc.property(fc.oneof(octets(4), octets(16)), (bytes) => Buffer.from(parseAddress(formatAddress(bytes))!.bytes).equals(bytes)))
})

t.test('durations and sizes', async (t) => {
  t.equal(parseDuration('250ms'), 250)
  t.equal(parseDuration('1.5m'), 90_000)
  t.equal(parseDuration('2'), undefined)
  t.equal(parseDuration('-2s'), undefined)
  t.equal(parseSize('64KiB'), 65_536)
  t.equal(parseSize('64KB'), undefined)
  t.same([0, 1000, 1536 * 1024, 64 << 20, 3 * 2 ** 30].map(formatSize), ['0B', '1000B', '1536KiB', '64MiB', '3GiB'])
  t.same([250, 2500, 180_000, 7_200_000].map(formatDuration), ['250 ms', '2.5 s', '3 min', '2 h'])
})

t.test('what was probably meant', async (t) => {
  t.equal(editDistance('statsu', 'status'), 1, 'a swap of neighbours is one mistake')
  t.equal(nearest('expalin', ['explain', 'status']), 'explain')
  t.equal(nearest('xyzzy', ['explain', 'status']), undefined)
  t.equal(nearest('stat', ['start', 'status']), 'status', 'a beginning tells more than a letter that is missing')
  t.equal(nearest('transfer', ['allow-transfer', 'allow-update', 'primaries']), 'allow-transfer', 'one of its words')
  t.equal(nearest('allow', ['re-allow-transfer', 'not-allow-update']), undefined)
  t.equal(suggestion('icm', ['icn', 'nrt']), 'did you mean icn?')
  t.equal(suggestion('zzzz', ['icn', 'nrt']), 'known: icn, nrt')
})

t.test('names fit patterns as the regular expression that says the same finds, and many stars cost no more than one', async (t) => {
  const text = fc.stringMatching(/^[ab.*?]{0,8}$/)
  fc.assert(fc.property(text, fc.stringMatching(/^[ab.]{0,10}$/), (pattern, name) => matchesGlob(pattern, name) === new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.')}$`).test(name)), { numRuns: 3000 })
  t.notOk(matchesGlob(`${'*?'.repeat(30)}b`, 'a'.repeat(64)))
})
