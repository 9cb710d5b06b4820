import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { contents, hasProgram, says, serialAt, startNearcast, startSecondary, temporary, until, type Kind } from './servers.ts'

// A zone file here, a Nearcast that has the zone from there, and behind it Knot DNS, NSD and BIND: each is notified by the one
// before it, and has what is in the file.

const zone = (serial: number, ...more: readonly string[]): string => `$ORIGIN example.org.
$TTL 60
@ SOA ns1 hostmaster ${serial} 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.1
Www 300 A 192.0.2.3
@ MX 10 mail
odd TYPE65280 \\# 4 C00C0A0B
${Array.from({ length: 800 }, (_, at) => `n${at} 60 TXT "${at}" "${'x'.repeat(40)}"`).join('\n')}
${more.join('\n')}
`

const kinds = (['knotd', 'nsd', 'named'] as const).filter(hasProgram)
t.setTimeout(400_000)

t.test('a change goes down the chain at once', { skip: kinds.length > 0 ? false : 'none of knotd, nsd and named is installed' }, async (t) => {
  const folder = temporary(t)
  const [first, second] = [12_200, 12_201]
  const portOf = (kind: Kind): number => 12_202 + kinds.indexOf(kind)
  const file = join(folder, 'first/zones/example.org.zone')
  const peers = kinds.map((kind) => `${kind}: { address: 127.0.0.1, port: ${portOf(kind)}, key: xfr }`).join(', ')

  const primary = await startNearcast(
    t, join(folder, 'first'), first,
    `peers: { second: { address: 127.0.0.1, port: ${second}, key: xfr }, gone: { address: 127.0.0.1, port: 12209 } }\nzones: { example.org: { allow-transfer: [second, "key:xfr"], notify: [second, gone] } }\n`
  )
  const middle = await startNearcast(
    t, join(folder, 'second'), second,
    `peers: { first: { address: 127.0.0.1, port: ${first}, key: xfr }, ${peers} }\nzones: { example.org: { primaries: [first], allow-transfer: ["key:xfr"], notify: [${kinds.join(', ')}] } }\n`
  )
  await Promise.all(kinds.map((kind) => startSecondary(t, kind, { folder: join(folder, kind), port: portOf(kind), other: second })))

  const arrives = async (serial: number, port: number): Promise<boolean> => until(async () => (await serialAt(port)) === serial)
  writeFileSync(file, zone(1))
  t.ok(await arrives(1, second), 'the first zone is notified of, and transferred')
  for (const kind of kinds) t.ok(await arrives(1, portOf(kind)), `${kind} has it`)
  writeFileSync(file, zone(2, 'new A 192.0.2.9'))
  for (const port of [second, ...kinds.map(portOf)]) t.ok(await arrives(2, port), `a change arrives at ${port}`)
  await says(t, middle, /serial 1 to 2 from first, 1 records out and 2 in, in 1 step/)
  const wanted = await contents(first, true)
  t.ok(wanted.length > 800)
  t.same(await contents(second, true), wanted)
  // Some keep no capitals in owners.
  const folded = (lines: readonly string[]): string[] => lines.map((line) => line.toLowerCase()).toSorted()
  for (const kind of kinds) t.same(folded(await contents(portOf(kind), true)), folded(wanted), `${kind} holds the same`)

  for (let serial = 3; serial <= 12; serial++) {
    writeFileSync(file, zone(serial, `new A 192.0.2.${serial}`))
    await sleep(200)
  }
  for (const port of [second, ...kinds.map(portOf)]) t.ok(await arrives(12, port), `many changes end in the last at ${port}`)
  t.ok(await until(() => /gone could not be told of example\.org\. serial \d+: nothing listens there/.test(primary.log()), 200))
  t.equal(primary.log().match(/gone could not be told/g)?.length, 1, 'one line for a peer that is away, whatever happens')
})
