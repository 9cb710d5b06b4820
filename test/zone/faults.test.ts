// Zones that are broken in the way of their name: test/cases/zone/FAULT.zone, and in FAULT.faults what an operator is told, line by line.
// A line that is only … stands for any others. The policies nearest and video exist.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import t from 'tap'
import { formatFault } from '../../core/trouble.ts'
import { readZone } from '../../daemon/zone/index.ts'

const folder = new URL('../../../test/cases/zone/', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, folder), 'utf8')

for (const file of readdirSync(folder).filter((name) => name.endsWith('.zone'))) {
  t.test(file, async (t) => {
    const { zone, faults } = readZone({ file, read, policies: new Set(['nearest', 'video']) })
    const told = faults.map(formatFault)
    const wanted = read(file.replace('.zone', '.faults')).split('\n').slice(0, -1)
    const gap = wanted.indexOf('…')
    if (gap < 0) t.same(told, wanted)
    else {
      t.same(told.slice(0, gap), wanted.slice(0, gap))
      t.same(told.slice(gap - wanted.length + 1), wanted.slice(gap + 1))
    }
    t.equal(zone === undefined, faults.some((fault) => fault.severity === 'error'), 'a zone exactly when no fault is an error')
    t.ok(faults.every((fault) => read(fault.file).split('\n')[fault.line - 1]!.length >= fault.column - 1), 'every fault stands in its text')
  })
}

t.ok(readdirSync(folder).every((name) => !name.endsWith('.faults') || existsSync(new URL(name.replace('.faults', '.zone'), folder))), 'no expectation without its zone')
