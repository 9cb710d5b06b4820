import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { systemAfter, systemClock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { formatFault } from '../../core/trouble.ts'
import { CookieSecrets } from '../../daemon/control/index.ts'
import { parseSecrets } from '../../daemon/wire/index.ts'

const A = '000102030405060708090a0b0c0d0e0f'
const B = 'E5E973E5A6B2A43F48E7DC849E37BFCF'

t.test('secrets of cookies: one a line, the first makes them', async (t) => {
  const { secrets, faults } = parseSecrets('cookie.secrets', `# of all sites\n\n${A}\n  ${B} # until Monday\n`)
  t.same(faults, [])
  t.same(secrets.map((each) => Buffer.from(each).toString('hex')), [A, B.toLowerCase()])
})

t.test('what is no secret is told by its place, and never shown', async (t) => {
  const lines = (text: string): string[] => parseSecrets('cookie.secrets', text).faults.map(formatFault)
  t.same(lines(''), ['cookie.secrets:1:1: holds no secret (openssl rand -hex 16 makes one)'])
  t.same(lines(`${A}\n  ${A}ff\nsecret\n`), [
    'cookie.secrets:2:3: expected a secret of 32 hexadecimal digits, found 34 characters (openssl rand -hex 16 makes one)',
    'cookie.secrets:3:1: expected a secret of 32 hexadecimal digits, found 6 characters (openssl rand -hex 16 makes one)'
  ])
  t.match(lines(`${A}\n`.repeat(5))[0], /^cookie\.secrets:5:1: more than 4 secrets/)
})

t.test('secrets are taken anew when their file changes, and stay while it is broken', async (t) => {
  const file = join(mkdtempSync(join(tmpdir(), 'cookies-')), 'cookie.secrets')
  writeFileSync(file, `${A}\n`)
  const told: string[] = []
  const log = { info: (line: string) => told.push(line), error: (line: string) => told.push(line) } as unknown as Logger
  const seen: number[] = []
  const secrets = new CookieSecrets({ file, clock: systemClock, after: systemAfter, log, changed: () => seen.push(secrets.now.length) })
  t.teardown(() => secrets.close())
  const until = async (told: () => boolean): Promise<void> => {
    while (!told()) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  writeFileSync(file, `${B}\n${A}\n`)
  await until(() => seen.length === 1)
  t.same([seen, Buffer.from(secrets.now[0]!).toString('hex')], [[2], B.toLowerCase()])
  writeFileSync(file, 'nothing\n')
  await until(() => told.length === 2)
  t.same([seen, secrets.now.length], [[2], 2])
  t.same(told[0], `${file}: 2 secrets of DNS cookies in use`)
  t.match(told[1], /expected a secret/)
  t.throws(() => new CookieSecrets({ file, clock: systemClock, after: systemAfter, log, changed: () => undefined }), /:1:1: expected a secret/)
  t.equal(new CookieSecrets({ file: undefined, clock: systemClock, after: systemAfter, log, changed: () => undefined }).now[0]!.length, 16, 'one is made up where there is no file')
})
