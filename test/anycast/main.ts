import { resolve } from 'node:path'
import { readToolOptions } from '../helpers/tool.ts'
import { startFleet } from './fleet.ts'
import { Lab } from './lab.ts'
import { measure } from './measure.ts'
import { CLIENTS, neighboursOf, POPS, ROUTERS, SERVICE } from './map.ts'

// npm run lab: builds the lab, prints its map and leaves it up; npm run lab -- --down removes every trace of it.

const options = readToolOptions('lab', 'three PoPs, two routers and two clients in network namespaces of this machine, to play in', {
  down: { about: 'end the one that is up, and remove every trace of it' },
  plain: { about: 'with BIRD alone, without Nearcast' },
  measure: { about: 'measure how soon a failure is out of the routers, and end: 50 rounds of each, in a quarter of an hour or so' },
  minutes: { value: 'N', about: 'with --measure: end after so long, with the rounds that were played (40)' },
  state: { value: 'DIR', about: 'folder of what it writes (state/lab)' }
})
const folder = resolve(options.state ?? 'state/lab')

try {
  const found = Lab.find(folder)
  if (options.down !== undefined) {
    if (found === undefined) process.stdout.write('no lab is up\n')
    else {
      await found.down()
      process.stdout.write('the lab is down: its processes, namespaces and files are gone\n')
    }
  } else if (found?.isUp === true) {
    process.stderr.write(`lab: one is up already (npm run lab -- --down ends it)\n\n${mapOf(options.plain === undefined)}`)
    process.exitCode = 1
  } else {
    await found?.down()
    const lab = await Lab.build(folder, { outlives: true, isPlain: options.plain !== undefined })
    if (options.plain === undefined) await startFleet(lab, { isQuick: options.measure !== undefined })
    if (options.measure === undefined) process.stdout.write(mapOf(options.plain === undefined))
    else await measure(lab, (line) => process.stdout.write(`${line}\n`), Number(options.minutes ?? 40)).finally(() => lab.down())
  }
} catch (error) {
  process.stderr.write(`lab: ${(error as Error).message}\n`)
  process.exitCode = 1
}

function mapOf(hasFleet: boolean): string {
  const rows: (readonly string[])[] = [['NODE', 'WHAT', 'AS', 'ADDRESSES', 'BESIDE']]
  const beside = (name: string): string => neighboursOf(name).map(({ peer }) => peer.node).join(' ')
  for (const { name, as, id } of ROUTERS) rows.push([name, 'router', String(as), id, beside(name)])
  for (const { name, as, ipv4, ipv6, city } of POPS) rows.push([name, `PoP ${city}`, String(as), `${ipv4} ${ipv6}`, beside(name)])
  for (const { name } of CLIENTS) rows.push([name, 'client', '', neighboursOf(name).map(({ own }) => `${own.ipv4} ${own.ipv6}`).join(' '), beside(name)])
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const table = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd())
  const enter = `${folder}/in`
  return `
   c1 ── r1 ─────────── r2 ── c2        Anycast: DNS   ${SERVICE.dns.ipv4} and ${SERVICE.dns.ipv6}
        │  \\           /  │                      edges ${SERVICE.edge.ipv4} and ${SERVICE.edge.ipv6}
       icn  \`── iad ──'  fra            iad has its AS in its paths three times: nobody's first choice

${table.map((line) => `  ${line}`).join('\n')}

Try:
  ${enter} c1 dig @${SERVICE.dns.ipv4} id.server CH TXT +short
  ${enter} c1 dig @${SERVICE.dns.ipv6} id.server CH TXT +short
  ${enter} c2 curl -si http://${SERVICE.edge.ipv4}/ -H 'Host: any.lab.test'
  ${enter} r1 birdc show route for ${SERVICE.dns.prefix4} all
  ${enter} icn birdc show protocols
${hasFleet ? `  ${enter} icn npx nearcast anycast status --state ${folder}/icn/state\n` : ''}  npm run lab -- --down
`
}
