import { appendFileSync, existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { holdOf } from '../../daemon/anycast/decide.ts'
import { INCLUDE } from './bird-conf.ts'
import { anycastEdge, bindAt, cutOff, HOLD, isHeldByDeadman, nearcastAt, processOf, startFleet, startPop, statusAt, unicastEdge, writtenAt } from './fleet.ts'
import { Lab } from './lab.ts'
import { POPS, SERVICE } from './map.ts'
import { findWay, isAlive, strike, until } from './spaces.ts'
import { answeredBy, anycastAt, askMeanwhile, DNS_PREFIXES, EDGE_PREFIXES, hears, isCalm, logOf, pathBy, servedBy, tellAsked, withdrawals } from './watch.ts'

// What anycast is for, played through on routers: three PoPs with everything in them, one of which is struck each time. Each scene
// ends as it began. IPv4 and IPv6 go through all of it together: what is said of prefixes is said of both.

const way = findWay()
const skip = typeof way === 'string' ? false : way.reason
let lab: Lab | undefined

/** A scene through which a client asks all the while: what that lost is told. */
const scene = (name: string, play: (t: Test, lab: Lab) => Promise<void>): void =>
  void t.test(name, { skip }, async (t) => {
    const asking = askMeanwhile(lab!, 'c1', { rate: 100 })
    await play(t, lab!)
    t.comment(`c1 all the while: ${tellAsked(await asking.stop())}`)
  })
/** One that counts itself what clients lose. */
const countedScene = (name: string, play: (t: Test, lab: Lab) => Promise<void>): void => void t.test(name, { skip }, (t) => play(t, lab!))

/** Milliseconds since `from`, as text. */
const since = (from: number): string => `${Math.round(performance.now() - from)} ms`

// As long as the runner allows a file, also where there is none.
t.setTimeout(600_000)

t.before(async () => {
  if (skip !== false) return
  lab = await Lab.build(join(mkdtempSync(join(tmpdir(), 'nearcast-lab-')), 'lab'))
  await startFleet(lab)
})
t.teardown(async () => {
  if (lab === undefined) return
  const held = Object.values(lab.processes)
  if (!t.passing()) for (const { name } of POPS) t.comment(`${name}:\n${logOf(lab, name).split('\n').slice(-60).join('\n')}`)
  await lab.down()
  // All tests have ended by now: nothing can be asserted any more.
  if (held.some(isAlive)) throw new Error('the lab leaves a process behind')
})

scene('each client is answered by the PoP with the shortest AS path', async (t, lab) => {
  t.ok(await isCalm(lab), 'c1 by icn, c2 by fra, and nobody by iad')
  t.equal(await servedBy(lab, 'c1'), `${anycastEdge('icn')} ${anycastEdge('icn')}`)
  t.equal(await servedBy(lab, 'c2'), `${anycastEdge('fra')} ${anycastEdge('fra')}`)
  const explained = await nearcastAt(lab, 'icn', 'explain', 'www.lab.test', '--from', '198.18.2.2')
  t.match(explained.out, /from here BIRD has 198\.18\.2\.0\/24 2 ASes away, of AS64602/)
  t.match(explained.out, /fra1 1\.00 = path 1\.00 \(1 AS\)/, 'and steered to the edge with the shortest, whichever PoP is asked')
  t.match(await lab.run('c2', 'dig', `@${SERVICE.dns.ipv4}`, 'www.lab.test', '+short'), { out: '198.51.100.12\n' })
  t.match(await lab.run('c1', 'dig', `@${SERVICE.dns.ipv6}`, 'www.lab.test', 'AAAA', '+short'), { out: '2001:db8:a::11\n' })
})

scene('a daemon that flaps is withdrawn once a fall, and held the longer the oftener', async (t, lab) => {
  const flapsOf = (): number => writtenAt(lab, 'icn')!.prefixes['dns4']!.history.flaps
  const strikeDaemon = (name: NodeJS.Signals): boolean => strike(writtenAt(lab, 'icn')!.pid, name)
  const holds: number[] = []
  for (const fall of [1, 2]) {
    t.ok(await isCalm(lab))
    const before = await withdrawals(lab, 'r1', 'icn')
    const flaps = flapsOf()
    strikeDaemon('SIGSTOP')
    t.ok(await until(async () => (await hears(lab, 'r1', 'icn', DNS_PREFIXES)) === 'none'), `fall ${fall}: withdrawn`)
    for (let flap = 0; flap < 2; flap++) {
      strikeDaemon('SIGCONT')
      t.ok(await until(() => !isHeldByDeadman(lab, 'icn')), 'it is back')
      strikeDaemon('SIGSTOP')
      t.ok(await until(() => isHeldByDeadman(lab, 'icn')), 'and gone')
    }
    t.equal((await withdrawals(lab, 'r1', 'icn')) - before, DNS_PREFIXES.length, `fall ${fall}: the router has had one withdrawal of each prefix, however it flaps`)
    const wellFrom = performance.now()
    strikeDaemon('SIGCONT')
    t.ok(await until(async () => (await hears(lab, 'r1', 'icn', DNS_PREFIXES)) === 'all'), `fall ${fall}: in the end it is announced again`)
    const heldFor = performance.now() - wellFrom
    t.ok(flapsOf() > flaps, `fall ${fall}: remembered as the ${flapsOf()}. flap`)
    const hold = holdOf(flapsOf(), HOLD)
    holds.push(hold)
    t.comment(`fall ${fall}: on the router again ${Math.round(heldFor)} ms after it was well, of which a hold of ${hold} ms`)
    t.ok(heldFor >= hold || logOf(lab, 'icn').includes('not held back'), `fall ${fall}: held for ${hold} ms at least, but where too few others were heard`)
  }
  t.ok(await isCalm(lab))
  t.ok(holds[1]! >= Math.min(HOLD.longestHoldMs, 2 * holds[0]!), `twice as long for the second: ${holds.join(' ms, then ')} ms`)
})

countedScene('a drained PoP loses no query; its service addresses are taken off once that has settled, and not before', async (t, lab) => {
  const asking = askMeanwhile(lab, 'c1', { patience: 10_000 })
  t.match(await bindAt(lab, 'icn', 'unbind'), { status: 1, err: /192\.0\.2\.0\/24 is announced; .*drain first/ })
  const from = performance.now()
  const steps: string[] = []
  const step = (what: string): void => void steps.push(`${what} after ${since(from)}`)
  await nearcastAt(lab, 'icn', 'anycast', 'drain')
  t.ok(await until(async () => (await hears(lab, 'r1', 'icn', [...DNS_PREFIXES, ...EDGE_PREFIXES])) === 'none'), 'it ends withdrawn')
  step('withdrawn')
  t.equal(await answeredBy(lab, 'c1'), 'fra fra', 'clients have gone to the next')
  t.ok(await until(async () => (await bindAt(lab, 'icn', 'unbind')).status === 0), 'once it has settled the addresses may go')
  step('taken off')
  const addresses = Object.values(SERVICE).flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])
  const bound = async (): Promise<string[]> => {
    const shown = await lab.sh('icn', 'ip -o address show dev lo')
    return addresses.filter((address) => shown.includes(` ${address}/`))
  }
  t.same(await bound(), [], 'they are gone')
  t.match((await bindAt(lab, 'icn', 'bind')).out, /^192\.0\.2\.53 is bound on lo$/m)
  t.match((await bindAt(lab, 'icn', 'bind')).out, /^192\.0\.2\.53 is bound on lo, as it was$/m)
  t.same(await bound(), addresses, 'and back')
  await nearcastAt(lab, 'icn', 'anycast', 'unpin')
  step('unpinned')
  t.ok(await isCalm(lab), 'and so are the clients')
  const asked = await asking.stop()
  t.comment(`${steps.join(', ')}; ${tellAsked(asked)}`)
  for (const { lostAt } of asked) if (lostAt.length > 0) t.comment(`the first was lost ${Math.round(lostAt[0]! - performance.timeOrigin - from)} ms after the order`)
  t.same(asked.map(({ lost }) => lost), [0, 0])
})

countedScene('the edge at the anycast address dies: its prefix goes, that of DNS stays, clients elsewhere notice nothing', async (t, lab) => {
  const asking = askMeanwhile(lab, 'c2', { patience: 10_000 })
  const before = await withdrawals(lab, 'r1', 'icn')
  const edge = await processOf(lab, 'icn', anycastEdge('icn'))
  strike(edge, 'SIGSTOP')
  t.ok(await until(async () => (await hears(lab, 'r1', 'icn', EDGE_PREFIXES)) === 'none'))
  t.equal(await hears(lab, 'r1', 'icn', DNS_PREFIXES), 'all')
  t.equal(await servedBy(lab, 'c1'), `${anycastEdge('fra')} ${anycastEdge('fra')}`)
  t.equal(await answeredBy(lab, 'c1'), 'icn icn')
  t.equal(await servedBy(lab, 'c2'), `${anycastEdge('fra')} ${anycastEdge('fra')}`)
  const asked = await asking.stop()
  t.comment(tellAsked(asked))
  t.same(asked.map(({ lost }) => lost), [0, 0])
  t.same(asked.map(({ by }) => Object.keys(by).join()), ['fra', 'fra'])
  t.equal((await withdrawals(lab, 'r1', 'icn')) - before, 2, 'two prefixes, once each')
  strike(edge, 'SIGCONT')
  t.ok(await isCalm(lab), 'it is announced again')
})

scene('all edges of a PoP die: answers steer away, its DNS is demoted and not withdrawn', async (t, lab) => {
  const before = await withdrawals(lab, 'r1', 'icn')
  const edges = await Promise.all([unicastEdge('icn'), anycastEdge('icn')].map((name) => processOf(lab, 'icn', name)))
  const from = performance.now()
  for (const edge of edges) strike(edge, 'SIGSTOP')
  t.ok(await until(async () => !/198\.51\.100\.11/.test((await lab.run('icn', 'dig', '@127.0.0.1', 'www.lab.test', '+short', '+subnet=198.18.1.0/24')).out)), 'answers name another edge')
  t.comment(`steered away after ${since(from)}`)
  t.ok(await until(async () => (await pathBy(lab, 'r1', 'icn', SERVICE.dns.prefix4)) === 4 && (await pathBy(lab, 'r1', 'icn', SERVICE.dns.prefix6)) === 4), 'its DNS has a longer path')
  t.ok(await until(async () => (await answeredBy(lab, 'c1')) === 'fra fra'), 'and clients go elsewhere')
  t.ok(await until(async () => (await hears(lab, 'r1', 'icn', EDGE_PREFIXES)) === 'none'), 'the prefix of the edges is withdrawn')
  t.equal((await withdrawals(lab, 'r1', 'icn')) - before, 2, 'that of DNS never was')
  const said = (await anycastAt(lab, 'icn'))!.prefixes.find(({ prefix }) => prefix === SERVICE.dns.prefix4)!
  t.equal(said.state, 'demoted')
  t.match(said.reasons.join('; '), /edge/, 'for want of edges, as is said')
  for (const name of ['dns4', 'dns6']) t.match((await nearcastAt(lab, 'icn', 'anycast', 'explain', name)).out, /is demoted, for .*\n  for: 0 of \d edges? up, 1 needed\n/, `explain says why ${name} is demoted`)
  t.match((await nearcastAt(lab, 'icn', 'explain', 'www.lab.test', '--from', '198.18.1.2')).out, /icn1 is DOWN/, 'and why answers name another')
  for (const edge of edges) strike(edge, 'SIGCONT')
  t.ok(await isCalm(lab), 'all comes back')
})

scene('a PoP that is cut off from the others keeps announcing and says so; nothing flaps when it is back', async (t, lab) => {
  const before = await withdrawals(lab, 'r1', 'icn')
  await cutOff(lab, 'icn')
  t.ok(await until(async () => (await anycastAt(lab, 'icn'))?.pops.heard === 1), 'it hears nobody')
  t.match((await nearcastAt(lab, 'icn', 'pops')).out, /NO QUORUM/)
  t.equal(await hears(lab, 'r1', 'icn', [...DNS_PREFIXES, ...EDGE_PREFIXES]), 'all')
  t.equal(await answeredBy(lab, 'c1'), 'icn icn')
  await cutOff(lab, 'icn', false)
  t.ok(await until(async () => (await anycastAt(lab, 'icn'))?.pops.heard === 3), 'it hears them again')
  t.ok(await isCalm(lab))
  t.equal(await withdrawals(lab, 'r1', 'icn'), before, 'the router has had no withdrawal')
})

scene('BIRD is killed and comes back with the right announcements; an include edited by hand is put right, with an alarm', async (t, lab) => {
  lab.signal('icn bird', 'SIGKILL')
  t.ok(await until(async () => (await answeredBy(lab, 'c1')) === 'fra fra'), 'without BIRD clients go elsewhere')
  await lab.startBird('icn')
  t.ok(await isCalm(lab), 'and come back with it')
  appendFileSync(join(lab.folder, 'icn', INCLUDE), 'protocol static mine { ipv4; route 203.0.113.128/25 blackhole; }\n')
  t.ok(await until(() => !readFileSync(join(lab.folder, 'icn', INCLUDE), 'utf8').includes('mine')), 'what was written by hand is gone')
  t.ok(await until(() => /nearcast\.conf.*(changed|edited)|(changed|edited).*nearcast\.conf/.test(logOf(lab, 'icn'))), 'and said in the log')
  t.ok(await isCalm(lab))
})

countedScene('a daemon that hangs is withdrawn, and one that is killed', async (t, lab) => {
  for (const [name, from] of [['SIGSTOP', 'hangs'], ['SIGKILL', 'is killed']] as const) {
    const asking = askMeanwhile(lab, 'c1', { patience: 10_000 })
    const daemon = await processOf(lab, 'icn', 'daemon')
    const before = await withdrawals(lab, 'r1', 'icn')
    const struck = performance.now()
    strike(daemon, name)
    t.ok(await until(async () => (await withdrawals(lab, 'r1', 'icn')) >= before + DNS_PREFIXES.length), `${from}: the router has had the withdrawal`)
    const withdrawnAt = performance.timeOrigin + performance.now()
    t.comment(`${from}: withdrawn on the router after ${since(struck)}`)
    if (name === 'SIGSTOP') {
      t.ok(await until(async () => (await answeredBy(lab, 'c1')) === 'fra fra'), 'clients reach another PoP')
      strike(daemon, 'SIGCONT')
    }
    t.ok(await isCalm(lab), `${from}: it comes back`)
    const asked = await asking.stop()
    t.comment(`${from}: ${tellAsked(asked)}`)
    for (const { lostAt, sent } of asked) t.ok(lostAt.filter((at) => at > withdrawnAt).length <= sent / 10, 'queries are lost until then, and not after')
  }
})

scene('the last PoPs fail: they stay announced', async (t, lab) => {
  const daemons = new Map(await Promise.all(POPS.map(async ({ name }) => [name, await processOf(lab, name, 'daemon')] as const)))
  strike(daemons.get('icn')!, 'SIGSTOP')
  t.ok(await until(async () => (await hears(lab, 'r1', 'icn', DNS_PREFIXES)) === 'none'), 'the first is withdrawn')
  strike(daemons.get('fra')!, 'SIGSTOP')
  strike(daemons.get('iad')!, 'SIGSTOP')
  let least = Infinity
  await until(async () => {
    for (const prefix of DNS_PREFIXES) least = Math.min(least, (await lab.heardFrom('r2', prefix)).length)
    return false
  }, 15_000)
  t.ok(least >= 1, `a router never hears of fewer than ${least}`)
  for (const daemon of daemons.values()) strike(daemon, 'SIGCONT')
  t.ok(await isCalm(lab), 'all come back')
})

scene('the whole fleet of a PoP is killed: all that it announced goes, and its dead-man ends', async (t, lab) => {
  const deadman = Number(readFileSync(join(lab.folder, 'iad', 'state', 'deadman', 'lock'), 'latin1').trim())
  t.ok(existsSync(`/proc/${deadman}`), 'there is a dead-man')
  lab.signal('iad nearcast', 'SIGKILL')
  t.ok(await until(async () => (await hears(lab, 'r1', 'iad', [...DNS_PREFIXES, ...EDGE_PREFIXES])) === 'none'), 'the routers hear nothing more from it')
  t.ok(await until(() => !existsSync(`/proc/${deadman}`)), 'nobody is left')
  startPop(lab, 'iad')
  t.ok(await until(async () => (await statusAt(lab, 'iad')) !== undefined, 180_000), 'Nearcast is started again')
  t.ok(await isCalm(lab), 'and all is as before')
})

scene('a bad push that kills every daemon at once does not withdraw the last', async (t, lab) => {
  for (const { name } of POPS) lab.signal(`${name} nearcast`, 'SIGKILL')
  let least = Infinity
  await until(async () => {
    for (const router of ['r1', 'r2']) for (const prefix of DNS_PREFIXES) least = Math.min(least, (await lab.heardFrom(router, prefix)).length)
    return false
  }, 15_000)
  t.ok(least >= 1, `no router ever hears of fewer than ${least}`)
  for (const { name } of POPS) startPop(lab, name)
  t.ok(await until(async () => (await statusAt(lab, 'icn')) !== undefined, 180_000), 'Nearcast is started again')
  t.ok(await isCalm(lab), 'and all is as before')
})
