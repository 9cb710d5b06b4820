// Compiles the TypeScript sources into build/ when they differ from what was last compiled.
// Plain JavaScript, because it is what runs before anything has been compiled.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const out = join(root, 'build')
const stampFile = join(out, '.stamp')

/** A line per source file, `path size mtime`: what the build is a build of. */
function stamp() {
  const { include } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'))
  const lines = []
  const walk = (folder) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${folder}/${entry.name}`
      if (entry.name === 'node_modules') continue
      if (entry.isDirectory()) walk(path)
      else if (entry.name.endsWith('.ts')) add(path)
    }
  }
  const add = (path) => {
    const { size, mtimeMs } = statSync(join(root, path))
    lines.push(`${path} ${size} ${mtimeMs}`)
  }
  for (const folder of include) if (existsSync(join(root, folder))) walk(folder)
  for (const file of ['tsconfig.json', 'tsconfig.build.json']) add(file)
  return lines.join('\n') + '\n'
}

/**
 * Brings build/ up to date. Types are not checked here (`npm run check` does that), so that it takes a second.
 * The compiler writes into a folder of its own that is then renamed: a running fleet never sees half a build.
 * @returns {string | undefined} what went wrong, in a line or more
 */
export function build() {
  const wanted = stamp()
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) return undefined
  let compiler
  try {
    compiler = join(createRequire(import.meta.url).resolve('typescript/package.json'), '../bin/tsc')
  } catch {
    return 'nearcast: the sources are newer than build/ and the compiler is not installed: run npm ci first'
  }
  // The first time takes as long as a start or two: nobody should wonder.
  if (!existsSync(out) && process.stderr.isTTY) process.stderr.write('compiling the sources, this once\n')
  const fresh = join(root, `build.${process.pid}`)
  const old = `${fresh}.old`
  try {
    mkdirSync(fresh, { recursive: true })
    const run = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', fresh], { cwd: root, encoding: 'utf8' })
    if (run.status !== 0) return `nearcast: the sources do not compile:\n${run.stdout}${run.stderr}`
    writeFileSync(join(fresh, '.stamp'), wanted)
    if (existsSync(out)) renameSync(out, old)
    renameSync(fresh, out)
  } catch (error) {
    // Two builds at once: the other one's will do when it is of the same sources.
    if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) return undefined
    return `nearcast: cannot write build/: ${error.message}`
  } finally {
    rmSync(old, { recursive: true, force: true })
    rmSync(fresh, { recursive: true, force: true })
  }
  return undefined
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const trouble = build()
  if (trouble !== undefined) {
    process.stderr.write(`${trouble}\n`)
    process.exit(1)
  }
}
