import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Asked } from './asker.ts'
import { nearcastAt } from './fleet.ts'
import type { Lab } from './lab.ts'
import { CLIENTS, POPS, PREFIXES, ROUTERS, SERVICE } from './map.ts'
import { end, until } from './spaces.ts'

// What is looked at in a lab: who answers clients, what routers have heard, what is lost meanwhile.

export const DNS = [SERVICE.dns.ipv4, SERVICE.dns.ipv6] as const
export const DNS_PREFIXES = [SERVICE.dns.prefix4, SERVICE.dns.prefix6] as const
export const EDGE_PREFIXES = [SERVICE.edge.prefix4, SERVICE.edge.prefix6] as const

/** The PoP that answers a client's DNS queries, with IPv4 and IPv6: `icn icn`. */
export async function answeredBy(lab: Lab, client: string): Promise<string> {
  const said = await Promise.all(DNS.map((address) => lab.run(client, 'dig', `@${address}`, 'id.server', 'CH', 'TXT', '+short', '+time=2', '+tries=1')))
  return said.map(({ out }) => out.trim().replaceAll('"', '').split('\n')[0]!.slice(0, 20)).join(' ')
}

/** The edge that answers a client at the anycast address, with IPv4 and IPv6. */
export async function servedBy(lab: Lab, client: string): Promise<string> {
  const said = await Promise.all([SERVICE.edge.ipv4, `[${SERVICE.edge.ipv6}]`].map((address) => lab.run(client, 'curl', '-sgI', '--max-time', '3', `http://${address}/`, '-H', 'Host: any.lab.test')))
  return said.map(({ out }) => /^x-nearcast-pop: (\S+)/im.exec(out)?.[1] ?? 'nobody').join(' ')
}

/** Whether a router hears all of these prefixes from a PoP; `some`: one of them at least. */
export async function hears(lab: Lab, router: string, pop: string, prefixes: readonly string[]): Promise<'all' | 'some' | 'none'> {
  const heard = await Promise.all(prefixes.map(async (prefix) => (await lab.heardFrom(router, prefix)).includes(pop)))
  return heard.every(Boolean) ? 'all' : heard.some(Boolean) ? 'some' : 'none'
}

/** How long a path a router has to a prefix by way of its neighbour. */
export async function pathBy(lab: Lab, router: string, neighbour: string, prefix: string): Promise<number | undefined> {
  const out = await lab.birdc(router, 'show', 'route', prefix, 'all', 'protocol', `${neighbour}_${prefix.includes(':') ? 6 : 4}`)
  return /BGP\.as_path: (.*)/.exec(out)?.[1]?.trim().split(/\s+/).length
}

/** Withdrawals that a router has had from its neighbour, of both families. */
export async function withdrawals(lab: Lab, router: string, neighbour: string): Promise<number> {
  const said = await Promise.all([4, 6].map((family) => lab.birdc(router, 'show', 'protocols', 'all', `${neighbour}_${family}`)))
  return said.reduce((sum, out) => sum + Number(/Import withdraws:\s+(\d+)/.exec(out)?.[1] ?? 0), 0)
}

/** All is as at the start: every PoP announces everything, as it is, and each client has its own. */
export function isCalm(lab: Lab): Promise<boolean> {
  return until(async () => {
    for (const { name } of ROUTERS) for (const prefix of PREFIXES) if ((await lab.heardFrom(name, prefix)).length < POPS.length) return false
    for (const [router, pop] of [['r1', 'icn'], ['r2', 'fra']] as const) for (const prefix of PREFIXES) if ((await pathBy(lab, router, pop, prefix)) !== 1) return false
    for (const router of ['r1', 'r2']) for (const prefix of PREFIXES) if ((await pathBy(lab, router, 'iad', prefix)) !== 3) return false
    const own = await Promise.all(CLIENTS.map(({ name }) => answeredBy(lab, name)))
    return own.join() === 'icn icn,fra fra'
  }, 120_000)
}

/** Clients that ask all the while; `stop` says what each address came to. */
export function askMeanwhile(lab: Lab, client: string, { rate = 200, patience = 1000 } = {}): { stop(): Promise<Asked[]> } {
  const askers = DNS.map((address) => {
    const file = join(lab.folder, `asked-${randomUUID()}.json`)
    return { file, held: lab.start(`${client} asks ${address}`, client, [process.execPath, fileURLToPath(new URL('asker.js', import.meta.url)), address, String(rate), String(patience), file]) }
  })
  return {
    stop: async () => {
      await end(askers.map(({ held }) => held), patience + 30_000)
      return askers.map(({ file }) => JSON.parse(readFileSync(file, 'utf8')) as Asked)
    }
  }
}

/** `1200 asked, 3 lost (within 12 ms), by icn 1100, fra 97`. */
export const tellAsked = (asked: readonly Asked[]): string =>
  asked.map(({ sent, lost, lostForMs, by }, at) => `IPv${at === 0 ? 4 : 6}: ${sent} asked, ${lost} lost${lost === 0 ? '' : ` (within ${lostForMs} ms)`}, answered by ${Object.entries(by).map(([name, count]) => `${name} ${count}`).join(', ')}`).join('; ')

/** What is read here of `nearcast anycast status --json`. */
export interface AnycastSaid {
  readonly pops: { readonly heard: number; readonly quorum: number }
  readonly prefixes: readonly { readonly name: string; readonly prefix: string; readonly state: string; readonly reasons: readonly string[]; readonly alarms: readonly string[]; readonly flaps: number; readonly holdUntil?: number; readonly since: number }[]
}

export async function anycastAt(lab: Lab, pop: string): Promise<AnycastSaid | undefined> {
  const { status, out } = await nearcastAt(lab, pop, 'anycast', 'status', '--json')
  return status === 0 || out.startsWith('{') ? (JSON.parse(out) as AnycastSaid) : undefined
}

/** What a PoP's processes have logged. */
export const logOf = (lab: Lab, pop: string): string => readFileSync(join(lab.folder, `${pop}-nearcast.log`), 'utf8')
