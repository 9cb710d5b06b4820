import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../repo/sources.ts'

/** A small project with the real bin/build.js. */
function makeProject(folder: string): void {
  mkdirSync(join(folder, 'bin'), { recursive: true })
  mkdirSync(join(folder, 'core'))
  cpSync(join(root, 'bin/build.js'), join(folder, 'bin/build.js'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as { compilerOptions: object }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['core', 'edge'] }))
  cpSync(join(root, 'tsconfig.build.json'), join(folder, 'tsconfig.build.json'))
  writeFileSync(join(folder, 'core/a.ts'), 'export const a: number = 1\n')
  writeFileSync(join(folder, 'core/b.ts'), 'export const b: number = 2\n')
}

t.test('what runs is what is written', async (t) => {
  const folder = t.testdir()
  makeProject(folder)
  const build = (): { status: number | null; stderr: string } => spawnSync(process.execPath, ['bin/build.js'], { cwd: folder, encoding: 'utf8' })
  const built = join(folder, 'build/core/a.js')

  t.match(build(), { status: 0, stderr: '' })
  t.match(readFileSync(built, 'utf8'), 'a = 1')

  const before = statSync(built).mtimeMs
  t.match(build(), { status: 0 })
  t.equal(statSync(built).mtimeMs, before, 'nothing is compiled when nothing has changed')

  cpSync(join(root, 'tsconfig.build.json'), join(folder, 'tsconfig.build.json'))
  writeFileSync(join(folder, 'core/a.ts'), 'export const a: number = 11\n')
  rmSync(join(folder, 'core/b.ts'))
  t.match(build(), { status: 0 })
  t.match(readFileSync(built, 'utf8'), 'a = 11')
  t.notOk(existsSync(join(folder, 'build/core/b.js')), 'what was deleted is gone from the build')

  writeFileSync(join(folder, 'core/a.ts'), 'export const a: number = (\n')
  const broken = build()
  t.equal(broken.status, 1)
  t.match(broken.stderr, /the sources do not compile:\ncore\/a\.ts\(1,\d+\)/)
  t.match(readFileSync(built, 'utf8'), 'a = 11', 'the last good build is still there')
})
