import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { systemClock } from '../core/clock.ts'
import type { Status, WhereReply } from '../daemon/control/api.ts'
import { openAdmin, Refused, refused } from './admin-client.ts'
import { failed, isSet, mistyped, textOf, type Command } from './command.ts'
import { STATE } from './folders.ts'
import { drawMap } from './map-svg.ts'

export const map: Command = {
  name: 'map',
  summary: 'draw a map of the world as SVG: to which edge the viewers of each country go now',
  details: [
    'Without NAME or POLICY: all names that are steered. --assume EDGE=down (or =drain, =up) draws what',
    'would be; several with commas, * and ? in names. The map is written to NAME.svg or map.svg in the',
    'current folder.'
  ],
  arguments: [{ name: 'NAME|POLICY', optional: true }],
  options: {
    output: { kind: 'text', value: 'FILE', summary: 'write the map there; - is standard output', short: 'o' },
    assume: { kind: 'text', value: 'EDGE=STATE', summary: 'as if this edge were down, drain or up' },
    json: { kind: 'flag', summary: 'print what would be drawn as JSON' },
    state: STATE
  },
  examples: ['nearcast map', 'nearcast map www.nearcast.test -o /tmp/www.svg', 'nearcast map --assume icn=down -o - > without-icn.svg'],
  run: async (call) => {
    const [what] = call.positionals
    const output = textOf(call, 'output')
    if (output === '') return mistyped(call.io, '--output: expected a file, or - for standard output')
    const admin = openAdmin(call)
    if (typeof admin === 'string') return failed(call.io, admin)
    const assume = textOf(call, 'assume')
    const where = await admin.get<WhereReply>(`/v1/where?${new URLSearchParams({ ...(what !== undefined && { what }), ...(assume !== undefined && { assume }) })}`)
    if (where instanceof Refused) return refused(call, where)
    if (isSet(call, 'json')) {
      call.io.out(`${JSON.stringify(where, undefined, 2)}\n`)
      return 0
    }
    const status = await admin.get<Status>('/v1/status')
    if (status instanceof Refused) return refused(call, status)
    const drawing = drawMap({ where, status, now: systemClock.now(), ...(assume !== undefined && { assume }) })
    if (output === '-') {
      call.io.out(drawing)
      return 0
    }
    const file = output ?? `${(what ?? 'map').replace(/\.$/, '').replaceAll(/[^\w.-]/g, '_')}.svg`
    try {
      writeFileSync(resolve(call.io.cwd, file), drawing)
    } catch (error) {
      return failed(call.io, `${file} cannot be written: ${(error as Error).message}`)
    }
    call.io.out(`${file}: ${summaryOf(where)}\n`)
    return 0
  }
}

/** `all names; icn 31.2 %, nrt 20.0 %`: the largest first. */
function summaryOf({ what, targets }: WhereReply): string {
  const shares = targets.filter(({ share }) => share > 0).sort((a, b) => b.share - a.share)
  const shown = shares.slice(0, 8).map(({ name, share }) => `${name === '' ? 'no address' : name} ${(share * 100).toFixed(1)} %`)
  return `${what === 'all' ? 'all names' : what}; ${shown.join(', ')}${shares.length > 8 ? ` and ${shares.length - 8} more` : ''}`
}
