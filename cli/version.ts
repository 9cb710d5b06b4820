import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from './command.ts'
import { packageRoot } from './folders.ts'

export function versionText(): string {
  const { version: number } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }
  return number
}

export const version: Command = {
  name: 'version',
  summary: 'print the version of Nearcast and of Node.js',
  arguments: [],
  options: {},
  examples: ['nearcast version'],
  run: async ({ io }) => {
    io.out(`nearcast ${versionText()} (Node.js ${process.version}, ${process.platform} ${process.arch})\n`)
    return 0
  }
}
