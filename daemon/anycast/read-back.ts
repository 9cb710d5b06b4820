import { CODE, type BirdReply } from './bird.ts'

// What BIRD says of its sessions and of what it sends, read.

/** One BGP session, as `show protocols all NAME` has it. */
export interface Session {
  readonly name: string
  /** `up`, `start`, `down`: of the protocol. */
  readonly state: string
  /** `Established`, `Active`, `Idle`, …: of BGP, with what BIRD adds to it. */
  readonly info: string
  readonly isEstablished: boolean
  readonly families: readonly (4 | 6)[]
  /** Name of the export filter, by family, as BIRD shows it. */
  readonly filters: readonly string[]
  readonly neighbour?: string
  readonly neighbourAs?: number
  readonly exported?: number
}

/** A prefix as it is sent over a session. */
export interface Exported {
  readonly prefix: string
  /** Numbers in the AS path, the own one that is prepended when it is sent left out. */
  readonly pathLength: number
  readonly med?: number
  readonly communities: readonly string[]
}

/** Undefined where there is no such protocol. */
export function readSession(name: string, { lines, code }: BirdReply): Session | undefined {
  if (code === CODE.notFound || code === CODE.syntax) return undefined
  const row = lines.find((line) => line.code === CODE.protocol && line.text.split(/\s+/)[0] === name)
  if (row === undefined) return undefined
  // Name, protocol, table, state, since (one word, or a date and a time), information.
  const [, , , state = '?', , ...rest] = row.text.trim().split(/\s+/)
  const info = rest.join(' ').replace(/^\d\d:\d\d:\d\d(\.\d+)?\s*/, '')
  const text = lines.filter((line) => line.code === CODE.protocolDetail).map((line) => line.text)
  const find = (pattern: RegExp): string | undefined => text.map((line) => pattern.exec(line)?.[1]).find((found) => found !== undefined)
  const neighbour = find(/^\s*Neighbor address:\s*(\S+)/)
  const neighbourAs = find(/^\s*Neighbor AS:\s*(\d+)/)
  const exported = text.flatMap((line) => /^\s*Routes:.*?(?<!\d)(\d+) exported/.exec(line)?.[1] ?? [])
  return {
    name,
    state,
    info,
    isEstablished: state === 'up' && info.startsWith('Established'),
    families: text.flatMap((line): (4 | 6)[] => (/^\s*Channel ipv4$/.test(line) ? [4] : /^\s*Channel ipv6$/.test(line) ? [6] : [])),
    filters: text.flatMap((line) => /^\s*Output filter:\s*(.+)$/.exec(line)?.[1] ?? []),
    ...(neighbour !== undefined && { neighbour }),
    ...(neighbourAs !== undefined && { neighbourAs: Number(neighbourAs) }),
    ...(exported.length > 0 && { exported: exported.reduce((sum, each) => sum + Number(each), 0) })
  }
}

/** What `show route PREFIX all export NAME` says is sent. */
export function readExported({ lines }: BirdReply): Exported[] {
  const found: Exported[] = []
  for (const { code, text } of lines) {
    const prefix = code === CODE.route ? /^(\S+\/\d+)\s/.exec(text)?.[1] : undefined
    if (prefix !== undefined) found.push({ prefix, pathLength: 0, communities: [] })
    const last = found.at(-1)
    if (last === undefined) continue
    const path = /^\s*BGP\.as_path:\s*(.*)$/.exec(text)?.[1]
    const med = /^\s*BGP\.med:\s*(\d+)/.exec(text)?.[1]
    const communities = /^\s*BGP\.(?:large_)?community:\s*(.*)$/.exec(text)?.[1]
    const more = {
      ...(path !== undefined && { pathLength: path.trim() === '' ? 0 : path.trim().split(/\s+/).length }),
      ...(med !== undefined && { med: Number(med) }),
      ...(communities !== undefined && { communities: [...last.communities, ...[...communities.matchAll(/\(([^()]*)\)/g)].map((match) => match[1]!.replaceAll(/\s/g, '').replaceAll(',', ':'))] })
    }
    found[found.length - 1] = { ...last, ...more }
  }
  return found
}
