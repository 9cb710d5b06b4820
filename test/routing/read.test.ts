import t from 'tap'
import { formatFault } from '../../core/trouble.ts'
import { readPolicies, VERBS } from '../../daemon/routing/index.ts'
import { edges } from './fleet.ts'

const ALL = Object.keys(VERBS).join(', ')

/** The faults of a text, one line each, without the file's name. */
function faultsOf(text: string): string[] {
  return readPolicies({ file: 'p', text, targets: edges }).faults.map((fault) => formatFault(fault).replace(/^p:/, ''))
}

t.test('every mistake is told where it stands', async (t) => {
  const cases: readonly (readonly [what: string, text: string, faults: readonly string[]])[] = [
    ['nothing is fine', '', []],
    ['no policies are fine', 'policies: {}', []],
    ['YAML that is none', 'policies: {a: [', ['1:16: Flow sequence in block collection must be sufficiently indented and end with a ]', '1:16: Flow map in block collection must be sufficiently indented and end with a }']],
    ['a list at the top', '- a', ['1:1: expected policies by name (policies: { nearest: { latency: [icn, nrt] } })']],
    ['policies as a list', 'policies: [a]', ['1:1: policies: expected policies by name (policies: { nearest: { latency: [icn, nrt] } })']],
    ['another key at the top', 'policy: {}\npolicies: {}', ['1:1: unknown key policy (known: policies, networks)']],
    ['an unknown verb', 'policies:\n  a:\n    latancy: [icn]', ['3:5: there is no verb latancy (did you mean latency?)']],
    ['no verb', 'policies:\n  a: {}', [`2:6: expected a verb (verbs: ${ALL})`]],
    ['only on-all-down', 'policies:\n  a: { on-all-down: all }', [`2:6: expected a verb (verbs: ${ALL})`]],
    ['two verbs', 'policies:\n  a:\n    latency: [icn]\n    failover: [icn]', ['4:5: latency and failover stand in one node; a node has one verb (nest them, or give one a name of its own)']],
    ['an unknown key beside the verb', 'policies:\n  a:\n    latency: [icn]\n    on-al-down: all', ['4:5: unknown key on-al-down beside latency (did you mean on-all-down?)']],
    ['an option of another verb', 'policies:\n  a: { latency: [icn], count: 2 }', [`2:24: unknown key count beside latency (known: on-all-down, ${ALL})`]],
    ['an unknown edge', 'policies:\n  a: { failover: [icn, ntr] }', ['2:24: there is no edge or policy ntr (did you mean nrt?)']],
    ['an unknown policy', 'policies:\n  nearest: { latency: [icn] }\n  a: { failover: [neerest] }', ['3:19: there is no edge or policy neerest (did you mean nearest?)']],
    ['a list without a verb', 'policies:\n  a: [icn, nrt]', ['2:6: a list needs a verb that says what it is for (such as failover: [icn, nrt])']],
    ['a number', 'policies:\n  a: 5', [`2:6: expected an edge, an address, the name of a policy, or a verb (verbs: ${ALL})`]],
    ['nothing under a name', 'policies:\n  a:', [`2:5: expected an edge, an address, the name of a policy, or a verb (verbs: ${ALL})`]],
    ['an empty list', 'policies:\n  a: { latency: [] }', ['2:17: latency holds no branch (give it edges, addresses or policies: [icn, nrt])']],
    ['an empty simple', 'policies:\n  a: { simple: }', ['2:16: simple holds no branch (give it edges, addresses or policies: [icn, nrt])']],
    ['an empty multivalue', 'policies:\n  a: { multivalue: [] }', ['2:20: multivalue holds no branch (give it edges, addresses or policies: [icn, nrt])']],
    ['a count beside multivalue', 'policies:\n  a: { multivalue: [icn, nrt], count: 2 }', [`2:32: unknown key count beside multivalue (known: on-all-down, ${ALL})`]],
    ['targets that are none', 'policies:\n  a: { failover: [{ cname: pages.example.net }] }\n  b: { failover: [{ cname: "no name." }, { cname: a., address: 192.0.2.1 }] }\n  c: { simple: [{ address: 192.0.2 }, { address: 192.0.2.1, chekc: web }, { address: 192.0.2.1, check: web }] }', [
      '2:28: cname: pages.example.net has no dot at its end (write pages.example.net.: names here are whole)', '3:28: cname: no name. is no name of a host (such as host.example.net.)',
      '3:51: a target is an address or a cname, not both', '4:28: address: expected an address (such as 192.0.2.7 or 2001:db8::7)', '4:68: unknown key chekc of a target (did you mean check?)', '4:104: there is no check web'
    ]],
    ['a CNAME beside others', 'policies:\n  a: { simple: [icn, { cname: a.example. }] }\n  b: { multivalue: [c, icn] }\n  c: { weighted: [{ weight: 1, to: { cname: a.example. } }, { weight: 1, to: icn }] }\n  d: { simple: [icn, c], count: 1 }', [
      '2:22: a.example. leads to a CNAME, which cannot be answered beside others (simple answers several together: choose one by failover or weighted)',
      '3:21: c leads to a CNAME, which cannot be answered beside others (multivalue answers several together: choose one by failover or weighted)'
    ]],
    ['an empty geoproximity', 'policies:\n  a: { geoproximity: {} }\n  b: { geoproximity: [] }\n  c: { geoproximity: icn }', [
      '2:22: geoproximity holds no branch (give it biases by name: { icn: 20, nrt: 0 })', '3:22: geoproximity holds no branch (give it biases by name: { icn: 20, nrt: 0 })',
      '4:22: geoproximity holds no branch (give it biases by name: { icn: 20, nrt: 0 })'
    ]],
    ['a bias out of bounds', 'policies:\n  a: { geoproximity: { icn: 100, nrt: -100, fra: 1.5, iad: -99, icm: 1 } }', [
      '2:29: icn: a bias is a whole number from -99 to 99', '2:39: nrt: a bias is a whole number from -99 to 99', '2:50: fra: a bias is a whole number from -99 to 99',
      '2:65: there is no edge or policy icm (did you mean icn?)'
    ]],
    ['a geoproximity list', 'policies:\n  a: { geoproximity: [icn, { bias: 300, to: nrt }, { to: fra }, { bias: 1, at: 2 }, icm] }', [
      '2:36: nrt: a bias is a whole number from -99 to 99', '2:52: fra: a bias is a whole number from -99 to 99',
      '2:65: expected a name, or a bias and where it goes (such as { bias: 20, to: { failover: [icn, nrt] } })', '2:85: there is no edge or policy icm (did you mean icn?)'
    ]],
    ['a closest without count', 'policies:\n  a: { closest: [icn, nrt] }\n  b: { closest: [], count: 2 }', [
      '2:17: closest has no count (say how many are answered: count: 2)', '3:17: closest holds no branch (give it edges, addresses or policies: [icn, nrt])'
    ]],
    ['a closest with bounds that are none', 'policies:\n  a: { closest: [icn, nrt], count: 0, within: 0.5 }\n  b: { closest: [icn, ntr], count: 1.5, within: far }', [
      '2:36: count: expected a whole number from 1 to 100', '2:47: within: expected a number from 1 to 100 (such as 1.5: half as far again as the nearest)',
      '3:23: there is no edge or policy ntr (did you mean nrt?)', '3:36: count: expected a whole number from 1 to 100', '3:49: within: expected a number from 1 to 100 (such as 1.5: half as far again as the nearest)'
    ]],
    ['a place within a country', 'policies:\n  a: { geolocation: { US-il: icn, US-Illinois: icn, XX-1: icn, Uk/London: icn, US/Chicago: icn, US/CHICAGO: nrt, default: icn } }', [
      '2:23: il is no code of a subdivision (did you mean US-IL?)', '2:35: Illinois is no code of a subdivision (codes are those of ISO 3166-2, such as US-CA; a city is written US/Illinois)',
      '2:53: there is no country XX', '2:64: there is no country Uk (the United Kingdom is GB)', '2:97: US/chicago stands in this geolocation twice'
    ]],
    ['an empty branch', 'policies:\n  a: { geolocation: { KR: { failover: [] }, default: icn } }', ['2:39: failover holds no branch (give it edges, addresses or policies: [icn, nrt])']],
    ['an empty weighted', 'policies:\n  a: { weighted: {} }', ['2:18: weighted holds no branch (give it weights by name: { icn: 90, nrt: 10 })']],
    ['a weight out of bounds', 'policies:\n  a: { weighted: { icn: 256, nrt: 1.5, fra: -1, iad: many } }', [
      '2:25: icn: a weight is a whole number from 0 to 255', '2:35: nrt: a weight is a whole number from 0 to 255',
      '2:45: fra: a weight is a whole number from 0 to 255', '2:54: iad: a weight is a whole number from 0 to 255'
    ]],
    ['a weighted name that is unknown', 'policies:\n  a: { weighted: { icm: 1 } }', ['2:20: there is no edge or policy icm (did you mean icn?)']],
    ['a weighted list', 'policies:\n  a: { weighted: [{ weight: 300, to: icn }, { to: icn, share: 1 }, 5] }', [
      '2:29: icn: a weight is a whole number from 0 to 255', '2:45: expected a weight and where it goes (such as { weight: 5, to: { latency: [icn, fra] } })',
      '2:68: expected a weight and where it goes (such as { weight: 5, to: { latency: [icn, fra] } })'
    ]],
    ['a count that is none', 'policies:\n  a: { simple: [icn, nrt], count: none }', ['2:35: count: expected a whole number from 1 to 100']],
    ['a default that is mistyped is told once', 'policies:\n  a:\n    geolocation: { KR: icn, defualt: fra }', ['3:29: there is no country or continent defualt (did you mean default?)']],
    ['a geolocation without default', 'policies:\n  a:\n    geolocation: { KR: icn }', ['3:18: geolocation has no default (clients of no branch would get no answer: add default: BRANCH)']],
    ['an empty geolocation', 'policies:\n  a: { geolocation: [] }', ['2:21: geolocation holds no branch (give it countries, continents and a default: { KR: icn, EU: fra, default: nrt })']],
    ['unknown places', 'policies:\n  a: { geolocation: { UK: icn, kr: icn, Europe: icn, XQ: icn, continent-KR: icn, country-EU: icn, default: icn } }', [
      '2:23: there is no country or continent UK (the United Kingdom is GB)', '2:32: there is no country or continent kr (South Korea is KR)',
      '2:41: there is no country or continent Europe (Europe is EU)', '2:54: there is no country or continent XQ', '2:63: there is no continent KR (KR is a country: country-KR)', '2:82: there is no country EU (EU is a continent: continent-EU)'
    ]],
    ['a place written twice', 'policies:\n  a: { geolocation: { EU: fra, continent-EU: fra, default: icn } }', ['2:32: EU stands in this geolocation twice']],
    ['an on-all-down that is none', 'policies:\n  b: { simple: icn }\n  a: { simple: icn, on-all-down: last }', ['3:34: on-all-down: expected all, last-good, empty or the name of a policy (did you mean last-good?)']],
    ['a policy with the name of an edge', 'policies:\n  icn: { simple: icn }', ['2:3: icn is the name of an edge already']],
    ['names that cannot be', 'policies:\n  all: { simple: icn }\n  "a b": { simple: icn }', ['2:3: all has a meaning of its own and cannot name a policy', "3:3: a b: a policy's name is made of letters, digits, - and _, 63 at most"]],
    ['a loop', 'policies:\n  a: { failover: [b, icn] }\n  b: { weighted: { c: 1 } }\n  c: { geolocation: { default: { latency: [a] } } }', ['4:44: policies lead in a loop: a -> b -> c -> a']],
    ['a loop of one', 'policies:\n  a: { failover: [icn, a] }', ['2:24: policies lead in a loop: a -> a']],
    ['a loop through on-all-down', 'policies:\n  a: { simple: icn, on-all-down: b }\n  b: { simple: nrt, on-all-down: a }', ['3:34: policies lead in a loop: a -> b -> a']],
    ['a name that is a policy only', 'policies:\n  b: a\n  a: b', ['3:6: policies lead in a loop: b -> a -> b']],
    ['several at once, in the order of the file', 'policies:\n  a: { latency: [xxx] }\n  b: { nothing: 1 }\n  c: { geolocation: { KR: icn } }', [
      '2:18: there is no edge or policy xxx (known: icn, nrt, fra, iad, gru, syd, a, b, c)', `3:8: there is no verb nothing (known: ${ALL})`,
      '4:21: geolocation has no default (clients of no branch would get no answer: add default: BRANCH)'
    ]]
  ]
  for (const [what, text, faults] of cases) t.same(faultsOf(text), faults, what)
})

t.test('what nobody ever comes to is refused', async (t) => {
  const never: readonly (readonly [text: string, fault: string])[] = [
    ['a: { failover: [192.0.2.1, icn] }', '2:30: icn is never reached: 192.0.2.1 before it always answers'],
    ['a: { failover: [icn, { simple: [nrt, 192.0.2.1] }, { latency: [fra] }, syd] }', '2:54: 3 is never reached: 2 before it always answers'],
    ['a: { failover: [b, nrt, syd] }\n  b: { weighted: { icn: 1, 192.0.2.1: 1 } }', '2:22: nrt is never reached: b before it always answers'],
    ['a: { failover: [b, nrt] }\n  b: { latency: [icn], on-all-down: empty }', '2:22: nrt is never reached: b before it always answers'],
    ['a: { failover: [{ network: { 10.0.0.0/8: icn, default: 192.0.2.1 } }, nrt] }', '2:73: nrt is never reached: 1 before it always answers'],
    ['a: { weighted: { 192.0.2.1: 10, icn: 0 } }', '2:40: icn is never reached: a weight of 0 is a last resort, and 192.0.2.1 always answers'],
    ['a: { latency: [192.0.2.1, icn, 192.0.2.2] }', '2:34: 192.0.2.2 is never reached: neither it nor 192.0.2.1 is anywhere on the map, and that stands before it and always answers'],
    ['a: { geoproximity: { 192.0.2.1: 0, icn: 0, 192.0.2.2: 9 } }', '2:57: 192.0.2.2 is never reached: neither it nor 192.0.2.1 is anywhere on the map, and that stands before it and always answers'],
    ['a: { geolocation: { KR: { geolocation: { JP: nrt, default: icn } }, default: fra } }', '2:44: JP is never reached: only clients of KR come here'],
    ['a: { geolocation: { KR: { failover: [{ geolocation: { US/Chicago: iad, default: icn } }, nrt] }, default: fra } }', '2:57: US/chicago is never reached: only clients of KR come here'],
    ['a: { geolocation: { US-IL: { geolocation: { US-CA: iad, default: icn } }, default: fra } }', '2:47: US-CA is never reached: only clients of US-IL come here'],
    ['a: { network: { 10.0.0.0/8: { network: { 192.168.0.0/16: nrt, default: icn } }, default: fra } }', '2:44: 192.168.0.0/16 is never reached: only clients of 10.0.0.0/8 come here'],
    ['a: { view: { 10.0.0.0/8: icn, 10.0.0.0/9: nrt, 10.128.0.0/9: fra, default: syd } }', '2:16: 10.0.0.0/8 is never reached: everybody in it goes by 10.0.0.0/9, 10.128.0.0/9'],
    ['a: { view: { lab: 10.9.9.9, 10.2.0.0/16: 10.9.9.8, default: empty } }\nnetworks: { lab: [10.2.0.0/16] }', '2:31: 10.2.0.0/16 is never reached: everybody in it goes by lab'],
    ['a: { network: { 10.0.0.0/8: icn, 10.0.0.0/9: 192.0.2.1, 10.128.0.0/9: empty, default: syd } }', '2:19: 10.0.0.0/8 is never reached: everybody in it goes by 10.0.0.0/9, 10.128.0.0/9, which always answers'],
    ['a: { geolocation: { 0.0.0.0/0: { simple: [192.0.2.1, "2001:db8::1"] }, ::/0: b, KR: icn, default: fra } }\n  b: { simple: ["2001:db8::1", 192.0.2.1] }', '2:83: KR is never reached: 0.0.0.0/0 and ::/0 hold everybody and always answer']
  ]
  for (const [text, fault] of never) t.same(faultsOf(`policies:\n  ${text}`), [fault], text)
})

t.test('what is allowed and probably not meant is warned of', async (t) => {
  const cases: readonly (readonly [text: string, warnings: readonly string[]])[] = [
    ['policies:\n  a: { failover: [icn, nrt, icn] }', ['2:29: warning: icn stands in this failover twice; only the first counts']],
    // For AAAA the first has no address.
    ['policies:\n  a: { failover: [192.0.2.1, "2001:db8::1"] }', []],
    ['policies:\n  a: { failover: [icn, 192.0.2.1] }', []],
    ['policies:\n  b: { latency: [icn, fra], on-all-down: all }\n  a: { failover: [b, nrt] }', ['3:22: warning: nrt is reached only where an operator has forced out all of b, which answers even when it is down']],
    ['policies:\n  a: { failover: [icn, 192.0.2.1], on-all-down: last-good }', ['2:36: warning: on-all-down is never heard: this node always answers']],
    ['policies:\n  a: { view: { 10.0.0.0/8: 192.0.2.1, default: 192.0.2.2 }, on-all-down: empty }', []],
    ['policies:\n  a: { weighted: { icn: 1, nrt: 0 } }', []],
    ['policies:\n  a: { weighted: { icn: 1, 192.0.2.1: 0 } }', []],
    ['policies:\n  a: { network: { 10.0.0.0/8: icn, 10.1.0.0/16: icn, default: fra } }', ['2:36: warning: 10.1.0.0/16 changes nothing: 10.0.0.0/8 around it leads to the same']],
    ['networks: { office: [10.1.0.0/16] }\npolicies:\n  a: { network: { 10.0.0.0/8: icn, office: fra, 10.1.2.0/24: icn, default: fra } }', []],
    ['networks: { office: [10.1.0.0/17, 10.1.128.0/17] }\npolicies:\n  a: { geolocation: { 10.1.0.0/16: icn, 10.1.2.0/24: fra, default: icn } }', ['1:13: warning: no policy goes by the networks office']],
    ['policies:\n  a: { geolocation: { EU: { geolocation: { KR: icn, DE: fra, default: icn } }, default: icn } }', ['2:44: warning: KR is never reached where only clients of EU come, unless overrides put it there']],
    ['policies:\n  b: { geolocation: { KR: icn, default: fra } }\n  a: { geolocation: { DE: b, US: { geolocation: { US-IL: iad, US/Chicago: iad, default: iad } }, default: icn } }', []],
    ['policies:\n  a: { geolocation: { SA: gru, default: icn } }', ['2:23: warning: SA is taken for the continent South America, not for Saudi Arabia (write continent-SA or country-SA)']],
    ['policies:\n  a: { geolocation: { country-SA: fra, continent-SA: gru, default: icn } }', []],
    ['policies:\n  a: { closest: [icn, nrt], count: 3, within: 2 }', ['2:36: warning: count: 3 is more than the 2 that stand here']],
    ['policies:\n  a: { simple: [icn, nrt], count: 2 }', ['2:35: warning: count: 2 is not less than the 2 that stand here: all are answered']]
  ]
  for (const [text, warnings] of cases) {
    const { image, faults } = readPolicies({ file: 'p', text, targets: edges })
    t.same(faults.map((fault) => formatFault(fault).replace(/^p:/, '')), warnings, text)
    t.ok(image, 'and it serves')
  }
  // An edge of both families is reached for the one that the address before it lacks.
  const both = edges.map((edge) => ({ ...edge, ipv6: [new Uint8Array(16)] }))
  t.same(readPolicies({ file: 'p', text: 'policies:\n  a: { failover: [192.0.2.1, icn] }', targets: both }).faults, [])
  const { unused } = readPolicies({ file: 'p', text: 'policies:\n  a: { failover: [b, icn] }\n  b: { simple: nrt, on-all-down: d }\n  c: { simple: icn }\n  d: icn', targets: edges })
  t.same(unused(new Set(['a'])).map(formatFault), ['p:4:3: warning: policy c is used by no zone and no other policy'])
})

t.test('a file with faults still says which policies it names', async (t) => {
  const { image, names } = readPolicies({ file: 'p', text: 'policies:\n  good: { simple: icn }\n  bad: { simple: xxx }', targets: edges })
  t.equal(image, undefined)
  t.same([...names], ['good', 'bad'])
})

t.test('what grows beyond measure is refused, quickly', async (t) => {
  const doubling = Array.from({ length: 40 }, (_, n) => `  p${n}: { latency: [{ failover: [${n === 39 ? 'icn' : `p${n + 1}`}] }, { failover: [${n === 39 ? 'icn' : `p${n + 1}`}] }] }`)
  t.match(faultsOf(`policies:\n${doubling.join('\n')}`)[0], /^2:3: policy p0 comes to more than 10000 candidates with all that it names$/)
  const product = 'policies:\n  w: { weighted: { icn: 1, nrt: 1, fra: 1, iad: 1, gru: 1, syd: 1 } }\n  a: { simple: [w, { failover: [w] }, { failover: [w] }, { failover: [w] }, { failover: [w] }] }'
  t.match(faultsOf(product), ['3:3: policy a comes to more than 1024 different answers'])
  const chain = Array.from({ length: 500 }, (_, n) => `  p${n}: ${n === 499 ? 'icn' : `p${n + 1}`}`)
  t.match(faultsOf(`policies:\n${chain.join('\n')}`)[0], /policies lead from one to the next through more than 100 names/)
  const deep = `policies:\n  a: ${'{ failover: ['.repeat(80)}icn${'] }'.repeat(80)}`
  t.match(faultsOf(deep)[0], /nested deeper than 64/)
})

t.test('addresses become targets of their own, each once', async (t) => {
  const { image } = readPolicies({ file: 'p', text: 'policies:\n  a: { simple: [192.0.2.1, "2001:db8::1", icn] }\n  b: { simple: ["2001:0db8:0::1"] }', targets: edges })
  const added = image!.targets.slice(edges.length)
  t.same(added.map(({ name, checked }) => [name, checked]), [['192.0.2.1', false], ['2001:db8::1', false]])
  t.same([added[0]!.ipv4.length, added[0]!.ipv6.length, added[1]!.ipv4.length, added[1]!.ipv6.length], [1, 0, 0, 1])
  t.same(image!.targets.slice(0, edges.length), edges, 'and the edges keep their numbers')
})
