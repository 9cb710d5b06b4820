import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectSecure, type TLSSocket } from 'node:tls'
import { certificateState, tlsOptions, type TlsSpec } from './certificate.ts'
import { Beginning, missingIn, wantsContent, type Content } from './content.ts'
import { LOOKED_AT, askAll, attempt, type Asked, type Probe, type ProbeOptions, type ProbeTarget } from './probe.ts'

/** A connection; with `tls` a handshake too. */
export interface TcpSpec extends ProbeTarget {
  readonly kind: 'tcp'
  readonly port: number
  readonly send?: string
  /** Looked for in what comes, as it comes. */
  readonly content?: Content
  readonly tls?: TlsSpec
}

const LOOK_AGAIN_MS = 100

export const probeTcp: Probe<TcpSpec> = (spec, options) => askAll(spec, options, (address) => askTcp(address, spec, options))

async function askTcp(address: string, { port, send, content = {}, tls }: TcpSpec, options: ProbeOptions): Promise<Asked> {
  const secured = tls === undefined ? undefined : await tlsOptions(tls)
  return attempt(options, (attempt) => {
    if (typeof secured === 'string') {
      attempt.fail(secured)
      return () => undefined
    }
    const socket: Socket = secured === undefined ? connectPlain({ host: address, port }) : connectSecure({ host: address, port, ...secured })
    const beginning = new Beginning()
    let good = 'connected'
    socket.on('error', (error: NodeJS.ErrnoException) => attempt.broke(error))
    socket.once(secured === undefined ? 'connect' : 'secureConnect', () => {
      attempt.connected()
      if (tls !== undefined) {
        const { fault, text } = certificateState(socket as TLSSocket, tls, options.clock.now())
        if (fault !== undefined) return attempt.fail(fault)
        good = text
      }
      if (send !== undefined) socket.write(send)
      if (!wantsContent(content)) attempt.pass(good)
    })
    let nextLook = 0
    let cancelLook: (() => void) | undefined
    const look = (): void => {
      cancelLook = undefined
      nextLook = beginning.size * 2
      const missing = missingIn(beginning.octets(), content)
      if (missing === undefined) attempt.pass(good)
      else if (beginning.size >= LOOKED_AT) attempt.fail(missing)
    }
    socket.on('data', (chunk: Uint8Array) => {
      beginning.add(chunk)
      if (attempt.isOver) return
      // What comes octet by octet is not looked through with each of them.
      if (beginning.size >= nextLook || beginning.size >= LOOKED_AT) look()
      else cancelLook ??= options.after(LOOK_AGAIN_MS, look)
    })
    socket.on('end', () => attempt.fail(missingIn(beginning.octets(), content) ?? 'connection closed'))
    socket.on('close', () => attempt.fail('connection closed'))
    return () => {
      cancelLook?.()
      socket.destroy()
    }
  })
}
