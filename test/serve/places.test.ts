import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.ts'
import { configSchema } from '../../core/config.ts'
import { ipv4Number, parseAddress } from '../../core/address.ts'
import { makeLogger } from '../../core/log.ts'
import { Loader } from '../../daemon/control/index.ts'
import { openWorld, type World } from '../../daemon/world.ts'
import { makeHealthTable } from '../../healthchecks/index.ts'

// The operator's places, in a loader thread of their own: read, changed, broken and taken away while it runs.

async function startLoader(t: Test, root: string): Promise<{ loader: Loader; world(): World; changed(): Promise<void> }> {
  const config = configSchema.parse({ geo: { overrides: join(root, 'overrides.yaml') } })
  let current: World | undefined
  let notify = (): void => undefined
  const loader = new Loader({
    setup: { config, zonesFolder: join(root, 'zones'), zonesLabel: 'zones/', stateFolder: join(root, 'state') },
    health: makeHealthTable(8),
    clock: systemClock,
    log: makeLogger('test', { readable: false, level: 'silent' }),
    places: 'always',
    use: (image) => {
      current = openWorld(image)
      notify()
      return Promise.resolve()
    }
  })
  t.teardown(() => loader.close())
  await loader.first
  return { loader, world: () => current!, changed: () => new Promise((resolve) => (notify = resolve)) }
}

const countryOf = ({ places }: World, text: string): string | undefined => places.place(places.find4(ipv4Number(parseAddress(text)!.bytes)) >>> 8).country

t.test('what is known better counts as soon as it is written, and on when it is broken', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'nearcast-places-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  mkdirSync(join(root, 'zones'))
  const write = (text: string): void => {
    // As an editor saves: whole or not at all.
    writeFileSync(join(root, 'new'), text)
    renameSync(join(root, 'new'), join(root, 'overrides.yaml'))
  }
  write('networks: { 192.0.2.0/24: BR }\n')
  const { loader, world, changed } = await startLoader(t, root)
  t.equal(countryOf(world(), '192.0.2.1'), 'BR')
  const generation = world().generation

  const next = changed()
  write('networks: { 192.0.2.0/24: DE }\nresolvers: { 198.51.100.1: ZA }\n')
  await next
  t.equal(countryOf(world(), '192.0.2.1'), 'DE')
  t.ok(world().generation > generation)
  t.equal(world().places.place(world().places.resolvers!.find4(ipv4Number(Uint8Array.of(198, 51, 100, 1))) >>> 8).country, 'ZA')

  const broken = changed()
  write('networks: { 192.0.2.0/24: XX }\n')
  await broken
  t.match(loader.status().reload.faults, [/overrides\.yaml:1:27: there is no country XX/])
  t.equal(countryOf(world(), '192.0.2.1'), 'DE')
  await loader.close()

  const again = await startLoader(t, root)
  t.equal(countryOf(again.world(), '192.0.2.1'), 'DE', 'a start with a broken file goes by the last good one')
  t.match(again.loader.status().reload.faults, [/there is no country XX/])
})
