import type { Viewer } from './asked.ts'
import { fieldName, requestField, type Fetching, type RequestHead } from './http/index.ts'
import { fieldOf, toLines, type FieldList } from './message/index.ts'
import { passedOn } from './passed.ts'
import { makeLedger, type Tally } from './tiers/index.ts'
import type { Worker } from './worker.ts'

// Connections that leave HTTP (RFC 9110 §7.8), WebSocket above all: from the client through every tier to the origin, octet by octet.

/** What a worker has of them. */
export interface Tunnels {
  /** Protocols that a request may be upgraded to, in lower case. */
  readonly protocols: ReadonlySet<string>
  /** There is room for one more. */
  readonly hasRoom: boolean
  /** Takes the place of one, from when it is asked for; undefined where there is none. What it returns gives it back, once. */
  take(): (() => void) | undefined
}

/** @param tally where they are counted, if that is not here alone */
export function makeTunnels(protocols: readonly string[], most: number, tally: Tally = makeLedger().tally('tunnels')): Tunnels {
  return {
    protocols: new Set(protocols),
    get hasRoom() {
      return tally.sum < most
    },
    take: () => {
      // Counted first and then looked at: of two that come at once both may be refused, but never both be taken.
      tally.count(1)
      let isTaken = true
      const leave = (): void => {
        if (isTaken) tally.count(-1)
        isTaken = false
      }
      if (tally.sum <= most) return leave
      leave()
      return undefined
    }
  }
}

/** What is told of the far side of a tunnel. */
export interface Tunnel {
  data(piece: Buffer): void
  end(): void
  broken(): void
}

const UPGRADE = fieldName('upgrade')

/** The protocol that a request is to be upgraded to; undefined for all that is plain HTTP, or asks for what is not let through. */
export function upgradeOf({ tunnels }: Worker, request: RequestHead): string | undefined {
  if (!request.upgrades || request.method !== 'GET' || request.content !== 0) return undefined
  const protocol = requestField(request, UPGRADE)?.toLowerCase()
  return protocol !== undefined && tunnels.protocols.has(protocol) && tunnels.hasRoom ? protocol : undefined
}

/** A connection that is to leave HTTP. */
export interface Upgrade {
  readonly protocol: string
  /** Gives its place back: it stays with HTTP, or is over. */
  leave(): void
}

/** Takes a place for the upgrade that a request asks for; undefined as for `upgradeOf`. */
export function beginUpgrade(worker: Worker, request: RequestHead): Upgrade | undefined {
  const protocol = upgradeOf(worker, request)
  const leave = protocol === undefined ? undefined : worker.tunnels.take()
  return leave && { protocol: protocol!, leave }
}

/** Answers with 101 as it came from above, and joins both connections. */
export function openTunnel(worker: Worker, viewer: Viewer, { protocol, leave }: Upgrade, fields: FieldList, fetching: Fetching): Tunnel {
  const { reply, nonce } = viewer
  if (fieldOf(fields, 'upgrade')?.toLowerCase() !== protocol) {
    worker.complain(`${viewer.request.target}: switched to another protocol than ${protocol}`)
    fetching.abort()
    leave()
    reply.abort()
    return { data: () => undefined, end: () => undefined, broken: () => undefined }
  }
  let head = `HTTP/1.1 101 Switching Protocols\r\n${toLines(passedOn(worker.node, fields, worker.clock.now()))}Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`
  if (worker.role === 'edge') head += `X-Nearcast-Pop: ${worker.name}\r\n`
  if (nonce !== undefined) head += `X-Nearcast-Tier: ${worker.auth.answer(nonce, 101)}\r\n`
  const gone = (): void => {
    leave()
    fetching.abort()
  }
  reply.switchTo(
    `${head}X-Nearcast-Request-Id: ${viewer.id!}\r\n\r\n`,
    { drained: () => fetching.resume(), gone },
    {
      data: (piece) => {
        if (!fetching.write(piece)) reply.pauseBody()
      },
      end: () => fetching.end(),
      broken: gone
    }
  )
  return {
    data: (piece) => {
      if (!reply.write(piece)) fetching.pause()
    },
    end: () => {
      leave()
      reply.finish()
    },
    broken: () => {
      leave()
      reply.abort()
    }
  }
}
