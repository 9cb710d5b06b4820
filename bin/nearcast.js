#!/usr/bin/env node
// The command line. Compiles the sources first when they have changed, so that what runs is what is written.
import { build } from './build.js'

const trouble = build()
if (trouble === undefined) {
  const { main } = await import('../build/cli/main.js')
  process.exitCode = await main(process.argv.slice(2))
} else {
  process.stderr.write(`${trouble}\n`)
  process.exitCode = 1
}
