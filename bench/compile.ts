import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram, needs } from './processes.ts'

const compilers = ['cc', 'gcc', 'clang'] as const

/** Why there is nothing written in C here; undefined when there is. */
export const noCompiler = needs(...compilers)

/** Compiles `bench/NAME.c` into a folder. @returns the program */
export function compile(name: string, folder: string): string {
  const program = join(folder, name)
  // Compiled JavaScript lies in build/bench, the C in bench.
  const source = fileURLToPath(new URL(`../../bench/${name}.c`, import.meta.url))
  const compiled = spawnSync(findProgram(...compilers)!, ['-O2', '-o', program, source], { encoding: 'utf8' })
  if (compiled.status !== 0) throw new Error(`does not compile: ${compiled.stderr}`)
  return program
}
