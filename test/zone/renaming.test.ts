import t from 'tap'
import { formatFault } from '../../core/trouble.ts'
import { readZone } from '../../daemon/zone/index.ts'

// Policies that may answer a CNAME have their names for themselves.

const policies = Object.assign(new Set(['names', 'addresses']), { renaming: new Set(['names']) })
const HEAD = '$ORIGIN example.test.\n@ 60 SOA ns1 hostmaster 1 3600 600 604800 60\n@ 60 NS ns1\nns1 60 A 192.0.2.53\n'

function faultsOf(text: string): string[] {
  return readZone({ file: 'z', read: () => Buffer.from(HEAD + text), policies }).faults.map((fault) => formatFault(fault))
}

t.test('a policy that may answer a CNAME is refused where none can stand, with its place', async (t) => {
  t.same(faultsOf('a 20 ROUTE names\nb 20 ROUTE addresses\nb 20 MX 10 ns1\n*.c 20 ROUTE names\n'), [])
  t.same(faultsOf('a 20 ROUTE names\na 20 TXT "beside"\n'), ['z:5:12: policy names may answer a CNAME, which cannot stand beside TXT (RFC 1034 §3.6.2)'])
  t.same(faultsOf('@ 20 ROUTE names\n'), ["z:5:12: policy names may answer a CNAME, which the zone's own name cannot have (RFC 1034 §3.6.2)"])
})

t.test('where a policy could not come to answer one is remembered', async (t) => {
  const { zone } = readZone({ file: 'z', read: () => Buffer.from(`${HEAD}b 20 ROUTE addresses\nb 20 MX 10 ns1\na 20 ROUTE names\n`), policies })
  t.same([...(zone?.crowded ?? [])].map(([policy, { line, column }]) => [policy, line, column]), [['addresses', 5, 12]])
})
