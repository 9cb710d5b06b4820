import { join } from 'node:path'
import t, { type Test } from 'tap'
import { contents, dig, hasProgram, says, serialAt, startNearcast, startPrimary, temporary, until, writeZone, type Kind } from './servers.ts'

// Nearcast as secondary of Knot DNS, NSD and BIND: the same life with each.

/** The zone, with times of its SOA in seconds: refresh, retry, expire. */
function zone(serial: number, times: string, ...more: readonly string[]): string {
  const many = Array.from({ length: 1500 }, (_, at) => `n${at} 60 TXT "${at}" "${'x'.repeat(40)}"`)
  return `$ORIGIN example.org.
$TTL 60
@ SOA ns1 host\\.master ${serial} ${times} 60
@ NS ns1
@ NS ns2.Elsewhere.example.net.
@ MX 10 Mail
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
Mail A 192.0.2.2
*.wild CNAME www
www 300 A 192.0.2.3
_sip._tcp SRV 1 2 5060 MAIL.example.org.
e164 NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:a@example.org!" .
sub NS ns.sub
ns.sub A 192.0.2.4
odd TYPE65280 \\# 4 C00C0A0B
caa CAA 0 issue "ca.example.net"
esc\\.aped\\009x TXT "a\\"b\\000c"
${many.join('\n')}
${more.join('\n')}
`
}

const LONG = '3600 1 86400'
const SHORT = '2 1 6'

async function live(t: Test, kind: Kind, port: number): Promise<void> {
  const folder = temporary(t)
  const files = join(folder, 'primary')
  const options = { folder: files, port, other: port + 1 }
  const yaml = `peers: { west: { address: 127.0.0.1, port: ${port}, key: xfr } }\nzones: { example.org: { primaries: [west], allow-transfer: [127.0.0.1] } }\n`
  const nearcast = (): ReturnType<typeof startNearcast> => startNearcast(t, join(folder, 'nearcast'), port + 1, yaml)

  writeZone(files, zone(1, LONG))
  let primary = await startPrimary(t, kind, options)
  let secondary = await nearcast()
  t.ok(await until(async () => (await serialAt(port + 1)) === 1), 'the zone is transferred at the start')
  await says(t, secondary, /serial 1 from west, whole, 151[0-9] records/)
  t.same(await contents(port + 1, false), await contents(port, true), 'and every record is as it is there')

  writeZone(files, zone(2, LONG, 'new A 192.0.2.9'))
  primary.reload()
  t.ok(await until(async () => (await serialAt(port + 1)) === 2), 'a change is there at once: a notification brings it')
  await says(t, secondary, /serial 1 to 2 from west, 1 records out and [23] in, in 1 step/, 'as what changed, not as the whole')
  t.same(await contents(port + 1, false), await contents(port, true))

  await primary.stop()
  t.match(await dig(port + 1, 'new.example.org', 'A', '+short'), /^192\.0\.2\.9$/m, 'it is served on when the primary is gone')
  await secondary.stop()
  secondary = await nearcast()
  t.match(await dig(port + 1, 'new.example.org', 'A', '+short'), /^192\.0\.2\.9$/m, 'and from disk after a restart')

  writeZone(files, zone(3, SHORT))
  primary = await startPrimary(t, kind, options)
  t.ok(await until(async () => (await serialAt(port + 1)) === 3), 'the primary is back: retried after a second')
  t.equal(await dig(port + 1, 'new.example.org', 'A', '+short'), '')

  await primary.stop()
  const expired = async (): Promise<boolean> => /status: SERVFAIL[^]*EDE: 24/.test(await dig(port + 1, 'www.example.org', 'A'))
  t.ok(await until(expired), 'expired: SERVFAIL, with the reason')
  await says(t, secondary, /example\.org\. has expired/)
  t.match(await dig(port + 1, 'www.example.net', 'A'), /status: REFUSED/, 'what is not ours is refused as ever')
  await secondary.stop()
  secondary = await nearcast()
  t.ok(await expired(), 'a restart does not bring it back')
  primary = await startPrimary(t, kind, options)
  t.ok(await until(async () => (await serialAt(port + 1)) === 3), 'the primary does, though nothing has changed')
  t.equal(secondary.log().includes('c2VjcmV0'), false, 'no secret in the log')
}

t.jobs = 3
t.setTimeout(400_000)
for (const [at, kind] of (['knotd', 'nsd', 'named'] as const).entries()) {
  t.test(`${kind} as primary`, { skip: hasProgram(kind) ? false : `${kind} is not installed`, buffered: true }, (t) => live(t, kind, 12_100 + at * 10))
}
