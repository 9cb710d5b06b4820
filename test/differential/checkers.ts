import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { readZone } from '../../daemon/zone/index.ts'
import type { Peer } from './servers.ts'

/** What a checker says to a zone file. */
export interface Verdict {
  readonly accepts: boolean
  /** Numbers of the lines that it names, from 1. */
  readonly lines: readonly number[]
  readonly said: string
}

const COMMANDS: Readonly<Record<Peer, readonly string[]>> = {
  knot: ['kzonecheck', '-v', '-o'],
  nsd: ['nsd-checkzone'],
  bind: ['named-checkzone', '-i', 'none', '-k', 'ignore', '-m', 'ignore', '-r', 'ignore', '-n', 'ignore', '-S', 'ignore', '-M', 'ignore', '-W', 'ignore']
}

/** Asks the three checkers and Nearcast's own about a zone file. */
export function checkZone(origin: string, text: string | Buffer): Record<Peer | 'nearcast', Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'nearcast-check-'))
  const file = join(folder, 'test.zone')
  try {
    writeFileSync(file, text)
    const verdict = (peer: Peer): Verdict => {
      const [command, ...words] = COMMANDS[peer]
      const { status, stdout, stderr } = spawnSync(command!, [...words, origin, file], { encoding: 'latin1', cwd: folder, env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` }, timeout: 20_000 })
      const said = `${stderr}${stdout}`
      const named = said.split('\n').filter((line) => !line.includes('warning')).flatMap((line) => /test\.zone(?::|', line )(\d+)/.exec(line)?.[1] ?? [])
      // Knot's checker also fails for what its server takes, such as missing glue.
      const isTaken = peer === 'knot' && status !== null && !/^error:|Serious semantic error/m.test(said)
      return { accepts: status === 0 || isTaken, lines: [...new Set(named.map(Number))], said }
    }
    return { knot: verdict('knot'), nsd: verdict('nsd'), bind: verdict('bind'), nearcast: ourVerdict(origin, text) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function ourVerdict(origin: string, text: string | Buffer): Verdict {
  const { zone, faults } = readZone({
    file: 'test.zone', origin,
    read: (path) => {
      if (basename(path) === 'test.zone') return text
      throw new Error('no such file')
    }
  })
  const errors = faults.filter(({ severity }) => severity === 'error')
  return { accepts: zone !== undefined, lines: errors.map(({ line }) => line), said: errors.map(({ line, column, reason }) => `${line}:${column}: ${reason}`).join('\n') }
}

/** The lines of a zone file that are left when those have gone that any of the peers refuses; undefined when it will not say which. */
export function withoutRefused<T>(origin: string, lines: readonly T[], write: (lines: readonly T[]) => string): readonly T[] | undefined {
  let kept = lines
  for (let tries = 0; tries < 6; tries++) {
    const { knot, nsd, bind } = checkZone(origin, write(kept))
    const refusing = [knot, nsd, bind].filter(({ accepts }) => !accepts)
    if (refusing.length === 0) return kept
    const named = new Set(refusing.flatMap((each) => each.lines))
    if (named.size === 0) return undefined
    kept = kept.filter((_, index) => !named.has(index + 1))
  }
  return undefined
}
