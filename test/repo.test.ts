import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { configurationPage } from '../cli/docs/configuration.ts'
import { parseConfig } from '../core/config-file.ts'
import { formatFault } from '../core/trouble.ts'
import { clockReaders, environmentReaders, roomOf, sideDoors, socketModules } from './repo/rooms.ts'
import { percentile, readSources, root, type Source } from './repo/sources.ts'

const sources = readSources()
const product = sources.filter((source) => !source.path.startsWith('test/') && !source.path.startsWith('bench/'))
const none: string[] = []

// As long as the runner allows a file, also where there is none.
t.setTimeout(600_000)

t.test('imports go through doors, in the directions that rooms.ts draws', async (t) => {
  const wrong = product.flatMap((source) => {
    const from = roomOf(source.path)
    return source.imports.flatMap((entry): string[] => {
      const place = `${source.path}:${entry.line}`
      if (!entry.own) return from.pure === true && socketModules.includes(entry.target) ? [`${place}: ${from.name} must not know ${entry.target}`] : []
      const to = roomOf(entry.target)
      if (to === from) return []
      if (!from.may.includes(to.name) && !from.may.includes('*')) return [`${place}: ${from.name} must not import ${to.name}`]
      const door = to.open === true || [`${to.name}/index.ts`, `${to.name}.ts`].includes(entry.target) || entry.target in sideDoors || entry.typeOnly
      return door ? [] : [`${place}: ${entry.target} is behind the door of ${to.name}`]
    })
  })
  t.same(wrong, none)
})

t.test('no module imports itself by a detour', async (t) => {
  const imports = new Map(sources.map((source) => [source.path, source.imports.filter((entry) => entry.own && !entry.typeOnly).map((entry) => entry.target)]))
  const cycles: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
    if (done.has(path)) return
    done.add(path)
    for (const next of imports.get(path) ?? []) visit(next, [...trail, path])
  }
  for (const path of imports.keys()) visit(path, [])
  t.same(cycles, none)
})

t.test('every room says at its door what it is for, in fifteen lines at most', async (t) => {
  const doors = sources.filter((source) => source.path.endsWith('/index.ts') && !source.path.startsWith('test/'))
  const wrong = doors.filter((source) => {
    const lines = source.text.split('\n')
    const comment = lines.findIndex((line) => !line.startsWith('//'))
    return comment < 1 || comment > 15
  })
  t.same(wrong.map((source) => source.path), none)
})

t.test('sizes stay within their budgets', async (t) => {
  const code = sources.filter((source) => !isTable(source))
  t.same(code.filter((source) => source.lines > 400).map((source) => `${source.path}: ${source.lines} lines`), none, 'no file over 400 lines')
  const functions = product.flatMap((source) => source.functions.map((each) => ({ ...each, path: source.path })))
  t.same(functions.filter((each) => each.lines > 70).map((each) => `${each.path}:${each.line}: ${each.name} has ${each.lines} lines`), none, 'no function over 70 lines')
  t.ok(percentile(code.map((source) => source.lines), 0.95) <= 250, `95 % of the files have at most 250 lines (${percentile(code.map((source) => source.lines), 0.95)})`)
  t.ok(percentile(functions.map((each) => each.lines), 0.95) <= 40, `95 % of the functions have at most 40 lines (${percentile(functions.map((each) => each.lines), 0.95)})`)
})

/** A table of data may be longer than code. */
function isTable(source: Source): boolean {
  return source.functions.length === 0 && source.imports.length <= 2
}

t.test('the clock and the environment are read in named places only', async (t) => {
  const clock = /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|process\.hrtime/
  const environment = /\bprocess\.env\b/
  const readers = (pattern: RegExp, allowed: Readonly<Record<string, string>>): string[] =>
    product.filter((source) => pattern.test(source.text) && !(source.path in allowed)).map((source) => source.path)
  t.same(readers(clock, clockReaders), none, 'clock')
  t.same(readers(environment, environmentReaders), none, 'environment')
})

t.test('the sources hold to the language rules that the linter has none for', async (t) => {
  const patterns: readonly (readonly [string, RegExp])[] = [
    ['an enum', /^\s*(export\s+)?(const\s+)?enum\s/m],
    ['a compiler directive', /@ts-(ignore|expect-error|nocheck)/],
    ['an open promise', /\b(TODO|FIXME|XXX)\b/]
  ]
  const wrong = sources
    .filter((source) => !source.path.startsWith('test/repo'))
    .flatMap((source) => patterns.filter(([, pattern]) => pattern.test(source.text)).map(([what]) => `${source.path}: ${what}`))
  t.same(wrong, none)
})

t.test('the bundled configuration is sound and the generated pages are current', async (t) => {
  const { faults } = parseConfig('nearcast.yaml', readFileSync(join(root, 'nearcast.yaml'), 'utf8'))
  t.same(faults.map(formatFault), none)
  t.equal(readFileSync(join(root, 'docs/configuration.md'), 'utf8'), configurationPage(), 'docs/configuration.md is what npm run docs writes')
})

t.test('the README shows configuration that is sound and files that are there', async (t) => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const blocks = [...readme.matchAll(/```yaml\n# nearcast\.yaml\n([\s\S]*?)```/g)].map((match) => match[1]!)
  for (const block of blocks) t.same(parseConfig('README.md', block).faults.map(formatFault), none)
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)].map((match) => match[1]!)
  t.same(links.filter((link) => !existsSync(join(root, link))), none, 'every link leads somewhere')
})

t.test('every link of a page in docs/ leads somewhere', async (t) => {
  const headings = (page: string): string[] => [...page.matchAll(/^#+ (.*)$/gm)].map((match) => match[1]!.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'))
  const broken = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')).flatMap((name) => {
    const page = readFileSync(join(root, 'docs', name), 'utf8')
    return [...page.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].filter(([, link, heading]) => {
      const path = link === '' ? join(root, 'docs', name) : join(root, 'docs', link!)
      return !existsSync(path) || (heading !== undefined && !headings(readFileSync(path, 'utf8')).includes(heading))
    }).map(([whole]) => `docs/${name}: ${whole}`)
  })
  t.same(broken, none)
})

t.test('the tests that the protocol page names are there', async (t) => {
  const page = readFileSync(join(root, 'docs/protocol.md'), 'utf8')
  const rows = page.split('\n').filter((line) => /^\| .*\d/.test(line))
  t.same(rows.filter((row) => !/`test\//.test(row)), none, 'every row has a test')
  const named = [...page.matchAll(/`(test\/[\w./-]+)`/g)].map((match) => match[1]!)
  t.same(named.filter((path) => !existsSync(join(root, path))), none)
})

t.test('nothing committed names a machine or a registry', { skip: existsSync(join(root, '.git')) ? false : 'not a checkout' }, async (t) => {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter((name) => name !== '' && existsSync(join(root, name)))
  const hosts = /registry\.[a-z]+\.(org|com)\/|"resolved":|\/work\/(main|rooms|shared)\b/
  const wrong = files.filter((name) => name !== 'test/repo.test.ts' && hosts.test(readFileSync(join(root, name), 'latin1')))
  t.same(wrong, none)
})
