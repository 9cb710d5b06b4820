import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { RCODE } from '../../daemon/wire/index.ts'
import { linesOf } from './bench.ts'
import { updateMessage, type Sent } from './messages.ts'
import { hasProgram, LAUNCH, sendUpdate, startServer, transferOf, type Server } from './servers.ts'

// The same updates for named, knotd and Nearcast: the same rcodes, and the same zones after them.

const ZONE = `$TTL 300
@ SOA ns1 hostmaster 10 3600 600 604800 60
@ NS ns1
@ NS ns2
ns1 A 192.0.2.1
ns2 A 192.0.2.2
www A 192.0.2.10
www A 192.0.2.11
www TXT "one"
alias CNAME www
sub NS ns.sub
ns.sub A 192.0.2.3
old DNAME example.net.
mail MX 10 www
`

interface Case {
  readonly what: string
  readonly prerequisites?: readonly Sent[]
  readonly updates: readonly Sent[]
  /** A peer that makes something else of it, and what. */
  readonly but?: Partial<Record<'named' | 'knotd', string>>
  /** Ends knotd 3.2.6, which is not asked. */
  readonly isFatal?: true
}

/** Names below the zone of each case; `@` is its apex. */
const at = (name: string, type: string, more: Omit<Sent, 'name' | 'type'> = {}): Sent => ({ name, type, ttl: more.class === undefined ? 300 : 0, ...more })
const a = (name: string, host: number, ttl = 300): Sent => at(name, 'A', { data: `192.0.2.${host}`, ttl })

const cases: readonly Case[] = [
  { what: 'add a name', updates: [a('new', 9)] },
  { what: 'add beside others', updates: [a('www', 12)] },
  { what: 'add with another TTL', updates: [a('www', 12, 60)] },
  { what: 'add what is there', updates: [a('www', 10)] },
  { what: 'add what is there with another TTL', updates: [a('www', 10, 60)], but: { knotd: 'leaves it: RFC 2136 §3.4.2.2 puts the new record in place of the old' } },
  { what: 'add deep below', updates: [a('a.b.c.d', 9)] },
  { what: 'add a wildcard', updates: [a('*.w', 9)] },
  { what: 'delete one record', updates: [at('www', 'A', { class: 'NONE', data: '192.0.2.10' })] },
  { what: 'delete what is not there', updates: [at('www', 'A', { class: 'NONE', data: '192.0.2.99' }), at('nobody', 'ANY', { class: 'ANY' })] },
  { what: 'delete an RRset', updates: [at('www', 'A', { class: 'ANY' })] },
  { what: 'delete a name', updates: [at('www', 'ANY', { class: 'ANY' })] },
  { what: 'delete all of the apex', updates: [at('@', 'ANY', { class: 'ANY' })] },
  { what: 'delete NS of the apex', updates: [at('@', 'NS', { class: 'ANY' })] },
  { what: 'delete the SOA', updates: [at('@', 'SOA', { class: 'ANY' })] },
  { what: 'delete one NS', updates: [at('@', 'NS', { class: 'NONE', data: 'ns1.@' })] },
  { what: 'delete both NS', updates: [at('@', 'NS', { class: 'NONE', data: 'ns1.@' }), at('@', 'NS', { class: 'NONE', data: 'ns2.@' })] },
  { what: 'delete a delegation', updates: [at('sub', 'NS', { class: 'ANY' })] },
  { what: 'delete and add', updates: [at('www', 'A', { class: 'ANY' }), a('www', 20)] },
  { what: 'add and delete', updates: [a('www', 20), at('www', 'A', { class: 'ANY' })] },
  { what: 'CNAME beside data', updates: [at('www', 'CNAME', { data: 'ns1.@' })] },
  { what: 'data beside CNAME', updates: [a('alias', 9)] },
  { what: 'CNAME in place of CNAME', updates: [at('alias', 'CNAME', { data: 'ns1.@' })] },
  { what: 'CNAME in place of data', updates: [at('www', 'ANY', { class: 'ANY' }), at('www', 'CNAME', { data: 'ns1.@' })] },
  { what: 'CNAME at the apex', updates: [at('@', 'CNAME', { data: 'ns1.@' })] },
  { what: 'a higher SOA', updates: [at('@', 'SOA', { data: 'ns1.@ hostmaster.@ 500 3600 600 604800 60' })] },
  { what: 'a higher SOA and a record', updates: [at('@', 'SOA', { data: 'ns1.@ hostmaster.@ 500 3600 600 604800 60' }), a('new', 9)] },
  { what: 'a lower SOA', updates: [at('@', 'SOA', { data: 'ns1.@ hostmaster.@ 5 3600 600 604800 60' })] },
  { what: 'the same SOA', updates: [at('@', 'SOA', { data: 'ns1.@ hostmaster.@ 10 3600 600 604800 60' })] },
  { what: 'a SOA elsewhere', updates: [at('www', 'SOA', { data: 'ns1.@ hostmaster.@ 500 3600 600 604800 60' })] },
  { what: 'DNAME in place of DNAME', updates: [at('old', 'DNAME', { data: 'example.com.' })], isFatal: true },
  { what: 'an unknown type', updates: [at('new', 'TYPE65400', { data: '\\# 3 010203' })] },
  { what: 'names in data in other case', updates: [at('mail', 'MX', { class: 'NONE', data: '10 WWW.@' })] },
  { what: 'nothing at all', updates: [] },
  { what: 'outside the zone', updates: [at('www.example.org.', 'A', { data: '192.0.2.1' })] },
  { what: 'class CH', updates: [at('www', 'A', { class: 'CH', data: '192.0.2.1' })] },
  { what: 'add ANY', updates: [at('www', 'ANY', { ttl: 300 })] },
  { what: 'add AXFR', updates: [at('www', 'AXFR', { ttl: 300 })] },
  { what: 'delete an RRset with a TTL', updates: [at('www', 'A', { class: 'ANY', ttl: 1 })], but: { knotd: 'takes it: RFC 2136 §3.4.1.2 has FORMERR' } },
  { what: 'delete an RRset with data', updates: [at('www', 'A', { class: 'ANY', data: '192.0.2.10' })] },
  { what: 'delete a record with a TTL', updates: [at('www', 'A', { class: 'NONE', data: '192.0.2.10', ttl: 5 })] },
  { what: 'delete a record of type ANY', updates: [at('www', 'ANY', { class: 'NONE' })] },
  { what: 'the first right, the second wrong', updates: [a('new', 9), at('www', 'AXFR', { class: 'ANY' })] },
  { what: 'name in use', prerequisites: [at('www', 'ANY', { class: 'ANY' })], updates: [a('new', 9)] },
  { what: 'name in use, and is not', prerequisites: [at('nobody', 'ANY', { class: 'ANY' })], updates: [a('new', 9)] },
  { what: 'an empty non-terminal is not in use', prerequisites: [at('d', 'ANY', { class: 'NONE' })], updates: [a('new', 9)] },
  { what: 'name not in use', prerequisites: [at('nobody', 'ANY', { class: 'NONE' })], updates: [a('new', 9)] },
  { what: 'name not in use, and is', prerequisites: [at('www', 'ANY', { class: 'NONE' })], updates: [a('new', 9)] },
  { what: 'RRset there', prerequisites: [at('www', 'A', { class: 'ANY' })], updates: [a('new', 9)] },
  { what: 'RRset there, and is not', prerequisites: [at('www', 'MX', { class: 'ANY' })], updates: [a('new', 9)] },
  { what: 'RRset not there', prerequisites: [at('www', 'MX', { class: 'NONE' })], updates: [a('new', 9)] },
  { what: 'RRset not there, and is', prerequisites: [at('www', 'A', { class: 'NONE' })], updates: [a('new', 9)] },
  { what: 'RRset with these data', prerequisites: [at('www', 'A', { data: '192.0.2.11', ttl: 0 }), at('www', 'A', { data: '192.0.2.10', ttl: 0 })], updates: [a('new', 9)] },
  { what: 'RRset with fewer data', prerequisites: [at('www', 'A', { data: '192.0.2.11', ttl: 0 })], updates: [a('new', 9)] },
  { what: 'RRset with other data', prerequisites: [at('www', 'A', { data: '192.0.2.11', ttl: 0 }), at('www', 'A', { data: '192.0.2.12', ttl: 0 })], updates: [a('new', 9)] },
  { what: 'RRset with data of a name that is not there', prerequisites: [at('nobody', 'A', { data: '192.0.2.11', ttl: 0 })], updates: [a('new', 9)] },
  { what: 'a prerequisite with a TTL', prerequisites: [at('www', 'A', { class: 'ANY', ttl: 1 })], updates: [a('new', 9)] },
  { what: 'a prerequisite outside the zone', prerequisites: [at('www.example.org.', 'A', { class: 'ANY' })], updates: [a('new', 9)] },
  { what: 'a prerequisite of class CH', prerequisites: [at('www', 'A', { class: 'CH', data: '192.0.2.1' })], updates: [a('new', 9)] },
  { what: 'a failed prerequisite before a malformed update', prerequisites: [at('www', 'MX', { class: 'ANY' })], updates: [at('www', 'A', { class: 'ANY', ttl: 1 })], but: { named: 'looks at the form of updates first: RFC 2136 §3 has prerequisites before' } },
  { what: 'a signature', updates: [at('www', 'RRSIG', { data: 'A 8 3 300 20270101000000 20261201000000 2642 @ oJB1W6WN' })], but: { knotd: 'takes it: only the signer of a zone knows what it signs' } },
  { what: 'an NSEC', updates: [at('www', 'NSEC', { data: 'x.@ A RRSIG' })], but: { knotd: 'takes it: only the signer of a zone knows what it proves' } },
  { what: 'the last of a name, then another', updates: [at('mail', 'MX', { class: 'ANY' }), at('mail', 'TXT', { data: '"x"' })] },
  { what: 'NS below a delegation', updates: [a('host.sub', 9)] },
  { what: 'a TTL above the longest', updates: [a('new', 9, 0x9000_0000)], but: { named: 'keeps it: RFC 2181 §8 has 0', knotd: 'keeps it: RFC 2181 §8 has 0' } },
  { what: 'the last address of a name server', updates: [at('ns1', 'ANY', { class: 'ANY' })], but: { knotd: 'takes it, and the zone has a name server less' } },
  { what: 'another address of a name server', updates: [at('ns1', 'A', { class: 'ANY' }), a('ns1', 77)] }
]

/** Fills in the zone of a case: names without final dot stand below it, `@` in data is it. */
function into(zone: string, { name, data, ...rest }: Sent): Sent {
  const owner = name === '@' ? zone : name.endsWith('.') ? name : `${name}.${zone}`
  return { ...rest, name: owner, ...(data !== undefined && { data: data.replaceAll('.@', `.${zone}`).replaceAll(' @ ', ` ${zone} `) }) }
}

const shown = (rcode: number): string => Object.entries(RCODE).find(([, number]) => number === rcode)?.[0] ?? String(rcode)

async function outcome(server: Server, zone: string, { prerequisites = [], updates }: Pick<Case, 'prerequisites' | 'updates'>): Promise<string[]> {
  const message = updateMessage(zone, prerequisites.map((each) => into(zone, each)), updates.map((each) => into(zone, each)))
  const rcode = await sendUpdate(server, message).then(shown, (error: Error) => error.message)
  return [rcode, ...linesOf(await transferOf(server, zone)).map((line) => line.replaceAll(zone, '@'))]
}

const label = fc.constantFrom('www', 'new', 'alias', 'a.b', 'mail', '@', 'ns1')
const host = fc.integer({ min: 9, max: 12 })
const ttl = fc.constantFrom(60, 300)
const update: fc.Arbitrary<Sent> = fc.oneof(
  fc.tuple(label, host, ttl).map(([name, number, seconds]) => a(name, number, seconds)),
  fc.tuple(label, ttl).map(([name, seconds]) => at(name, 'TXT', { data: '"one"', ttl: seconds })),
  fc.tuple(label, label).map(([name, target]) => at(name, 'CNAME', { data: target === '@' ? 'x.@' : `${target}.@` })),
  fc.tuple(label, fc.constantFrom('A', 'TXT', 'CNAME', 'ANY', 'NS')).map(([name, type]) => at(name, type, { class: 'ANY' })),
  fc.tuple(label, host).map(([name, number]) => at(name, 'A', { class: 'NONE', data: `192.0.2.${number}` }))
)
const scripts = fc.array(fc.array(update, { minLength: 1, maxLength: 5 }), { minLength: 2, maxLength: 5 })

const missing = ['named', 'knotd'].filter((name) => !hasProgram(name))
t.test('named, knotd and Nearcast make the same of the same updates', { skip: missing.length > 0 && `${missing.join(' and ')} not installed`, timeout: 500_000 }, async (t) => {
  // Short, for the path of a socket has little room.
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-peers-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const random = fc.sample(scripts, { numRuns: 30, seed: 7 })
  const origins = [...cases.map((_, index) => `c${index}.test.`), ...random.map((_, index) => `r${index}.test.`)]
  const files = new Map(origins.map((origin) => [origin, ZONE]))
  const names = ['named', 'knotd', 'nearcast'] as const
  const servers = await Promise.all(names.map((name, index) => startServer(LAUNCH[name], join(folder, name), files, 12510 + index)))
  t.teardown(() => Promise.all(servers.map((server) => server.end())))
  const [named, knotd, nearcast] = servers as [Server, Server, Server]
  const all = (asked: readonly Server[], zone: string, sent: Pick<Case, 'prerequisites' | 'updates'>): Promise<string[][]> => Promise.all(asked.map((server) => outcome(server, zone, sent)))
  for (const [index, each] of cases.entries()) {
    const [ours, ...theirs] = await all(each.isFatal ? [nearcast, named] : [nearcast, named, knotd], `c${index}.test.`, each)
    for (const [place, made] of theirs.entries()) {
      const peer = place === 0 ? 'named' : 'knotd'
      const but = each.but?.[peer]
      if (but === undefined) t.same(ours, made, `${each.what}: as ${peer}`)
      else t.notSame(ours, made, `${each.what}: ${peer} ${but}`)
    }
  }
  for (const [index, script] of random.entries()) {
    for (const updates of script) {
      const [ours, theirs] = await all([nearcast, named], `r${index}.test.`, { updates })
      t.same(ours, theirs, `script ${index}`)
    }
  }
})
