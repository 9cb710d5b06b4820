import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Lab } from './lab.ts'
import { CLIENTS, POPS, SERVICE } from './map.ts'
import { findWay, isAlive, until } from './spaces.ts'

const way = findWay()

t.test('routers of the lab take the shortest AS path, and when it goes the next', { skip: typeof way === 'string' ? false : way.reason }, async (t) => {
  const folder = join(mkdtempSync(join(tmpdir(), 'nearcast-lab-')), 'lab')
  const lab = await Lab.build(folder, { isPlain: true })
  t.teardown(() => lab.down())
  for (const prefix of [SERVICE.dns.prefix4, SERVICE.dns.prefix6]) {
    t.equal((await lab.heardFrom('r1', prefix))[0], 'icn', `r1 sends ${prefix} to icn`)
    t.equal((await lab.heardFrom('r2', prefix))[0], 'fra', `r2 sends ${prefix} to fra`)
  }
  t.match(await lab.birdc('iad', 'show', 'route', '198.18.1.0/24', 'primary', 'all'), /BGP\.as_path: 64601 64601\n/, 'towards iad routers put their AS in front once more')
  for (const { name } of CLIENTS) t.match(await lab.sh(name, `ip route get ${SERVICE.dns.ipv4}`), /via 198\.18/, `${name} sends by its router`)

  await lab.birdc('icn', 'disable', 'nearcast4')
  t.ok(await until(async () => (await lab.heardFrom('r1', SERVICE.dns.prefix4))[0] === 'fra'), 'without icn r1 sends to fra, two ASes away, and not to iad next door')
  t.equal((await lab.heardFrom('r1', SERVICE.dns.prefix6))[0], 'icn', 'IPv6 stays')
  t.equal(Lab.find(folder)?.isUp, true)

  const held = Object.values(lab.processes)
  await lab.down()
  t.notOk(held.some(isAlive), 'no process is left')
  t.notOk(existsSync(folder), 'no file is left')
  t.equal(held.length, POPS.length + 2)
})
