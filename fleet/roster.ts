import { fileURLToPath } from 'node:url'
import type { Role } from '../core/channel.ts'
import type { Config } from '../core/config.ts'

/** One process that the fleet is to have. */
export interface Post {
  readonly name: string
  readonly role: Role
  /** Where it listens for HTTP; empty for the daemon. */
  readonly addresses: readonly string[]
}

/** Name of the DNS daemon among the members of the fleet. */
export const DAEMON = 'daemon'

/** Every process of a configuration that is run here, in the order in which they are shown: other PoPs run those that are theirs. */
export function rosterOf(config: Config): Post[] {
  const posts: Post[] = [{ name: DAEMON, role: 'daemon', addresses: [] }]
  const own = <Worker extends { readonly pop?: string | undefined }>(workers: Readonly<Record<string, Worker>>): [string, Worker][] => Object.entries(workers).filter(([, { pop }]) => pop === undefined || pop === config.pops?.name)
  for (const [name, { address }] of own(config.edges)) posts.push({ name, role: 'edge', addresses: address })
  for (const [name, { address }] of own(config.regionals)) posts.push({ name, role: 'regional', addresses: address })
  for (const [name, { address }] of own(config.shields)) posts.push({ name, role: 'shield', addresses: address })
  for (const [name, origin] of Object.entries(config.origins)) if ('demo' in origin && (origin.pop === undefined || origin.pop === config.pops?.name)) posts.push({ name, role: 'origin', addresses: [origin.demo] })
  return posts
}

/** The compiled program of a role. */
export function programOf(role: Role): string {
  const path = role === 'daemon' ? '../daemon/main.js' : role === 'origin' ? './demo-origin.js' : '../edge/main.js'
  return fileURLToPath(new URL(path, import.meta.url))
}
