import type { Viewer } from './asked.ts'
import { fieldName, requestField, type Fetching, type RequestHead } from './http/index.ts'
import { fieldOf, toLines, type FieldList } from './message/index.ts'
import { passedOn } from './passed.ts'
import type { Worker } from './worker.ts'

// Connections that leave HTTP (RFC 9110 §7.8), WebSocket above all: from the client through every tier to the origin, octet by octet.

/** What a worker has of them. */
export interface Tunnels extends TunnelCount {
  /** Protocols that a request may be upgraded to, in lower case. */
  readonly protocols: ReadonlySet<string>
  readonly most: number
}

interface TunnelCount {
  /** How many are open now. */
  readonly open: number
  /** One more is open, or one less. */
  count(change: 1 | -1): void
}

/** @param count where they are counted, if that is not here alone */
export function makeTunnels(protocols: readonly string[], most: number, count: TunnelCount = makeCount()): Tunnels {
  return {
    protocols: new Set(protocols),
    most,
    get open() {
      return count.open
    },
    count: (change) => count.count(change)
  }
}

function makeCount(): TunnelCount {
  let open = 0
  return {
    get open() {
      return open
    },
    count: (change) => void (open += change)
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
  return protocol !== undefined && tunnels.protocols.has(protocol) && tunnels.open < tunnels.most ? protocol : undefined
}

/** Answers with 101 as it came from above, and joins both connections. */
export function openTunnel(worker: Worker, viewer: Viewer, protocol: string, fields: FieldList, fetching: Fetching): Tunnel {
  const { reply, nonce } = viewer
  const { tunnels } = worker
  tunnels.count(1)
  let isOpen = true
  const close = (): void => {
    if (isOpen) tunnels.count(-1)
    isOpen = false
  }
  if (fieldOf(fields, 'upgrade')?.toLowerCase() !== protocol) {
    worker.complain(`${viewer.request.target}: switched to another protocol than ${protocol}`)
    fetching.abort()
    close()
    reply.abort()
    return { data: () => undefined, end: () => undefined, broken: () => undefined }
  }
  let head = `HTTP/1.1 101 Switching Protocols\r\n${toLines(passedOn(worker.node, fields, worker.clock.now()))}Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`
  if (worker.role === 'edge') head += `X-Nearcast-Pop: ${worker.name}\r\n`
  if (nonce !== undefined) head += `X-Nearcast-Tier: ${worker.auth.answer(nonce, 101)}\r\n`
  const gone = (): void => {
    close()
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
      close()
      reply.finish()
    },
    broken: () => {
      close()
      reply.abort()
    }
  }
}
