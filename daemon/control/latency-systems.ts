import { statSync } from 'node:fs'
import type { Logger } from '../../core/log.ts'
import { messageOf } from '../../core/trouble.ts'
import { findAsDatabase, openAsDatabase } from '../../geodb/index.ts'

/** Which autonomous system networks belong to, by a database that may come, change and go while the daemon runs. */
export interface Systems {
  /** Looks whether the database is another one now. True when what it says may have changed. */
  refresh(): boolean
  /** The system of a network's first address; asked for the same octets again, what was said before. */
  systemOf(address: Uint8Array): number | undefined
}

/** @param geo.folder where databases are dropped, absolute, and `geo.asn` */
export function makeSystems(geo: { readonly folder: string; readonly asn: string }, log: Logger): Systems {
  let stamp = ''
  let find: ((address: Uint8Array) => number | undefined) | undefined
  let known = new WeakMap<Uint8Array, { readonly system: number | undefined }>()
  const open = (path: string): void => {
    try {
      find = openAsDatabase(path)
      known = new WeakMap()
    } catch (error) {
      log.warn(`${path}: round trips are not gathered by its autonomous systems${find === undefined ? '' : ' as they are now'}: ${messageOf(error)}`)
    }
  }
  return {
    refresh() {
      const path = findAsDatabase({ folder: geo.folder, setting: geo.asn })
      const now = path === undefined ? '' : stampOf(path)
      if (now === stamp) return false
      stamp = now
      if (path !== undefined) open(path)
      return path !== undefined
    },
    systemOf(address) {
      let found = known.get(address)
      if (found === undefined) {
        found = { system: asked(find, address) }
        known.set(address, found)
      }
      return found.system
    }
  }
}

/** A database that is broken somewhere has nothing to say of what is there. */
function asked(find: ((address: Uint8Array) => number | undefined) | undefined, address: Uint8Array): number | undefined {
  try {
    return find?.(address)
  } catch {
    return undefined
  }
}

function stampOf(path: string): string {
  const { mtimeMs, size, ino } = statSync(path)
  return `${path} ${mtimeMs} ${size} ${ino}`
}
