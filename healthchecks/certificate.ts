import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { ConnectionOptions, DetailedPeerCertificate, TLSSocket } from 'node:tls'
import { messageOf } from '../core/trouble.ts'

/** What a probe over TLS asks for and expects. Plain data. */
export interface TlsSpec {
  /** Of the handshake (SNI), and what the certificate must be for. */
  readonly serverName?: string
  readonly verify: boolean
  /** PEM file of the authorities; absent: those of the system. */
  readonly authority?: string
  /** Fails when a certificate ends within so many days. */
  readonly days?: number
}

/** The options of node:tls for it; a text says why there are none. The file is read each time: it may be renewed. */
export async function tlsOptions({ serverName, verify, authority }: TlsSpec): Promise<ConnectionOptions | string> {
  const named = serverName === undefined || isIP(serverName) !== 0 ? {} : { servername: serverName }
  if (authority === undefined) return { ...named, rejectUnauthorized: verify }
  try {
    return { ...named, rejectUnauthorized: verify, ca: await readFile(authority) }
  } catch (error) {
    return `the authorities cannot be read: ${messageOf(error)}`
  }
}

/** The certificates of a handshake that has been completed: what is wrong with their time, or how long they last. */
export function certificateState(socket: TLSSocket, { days = 0 }: TlsSpec, now: number): { readonly fault?: string; readonly text: string } {
  const leaf = socket.getPeerCertificate(true)
  let first = Number.POSITIVE_INFINITY
  const seen = new Set<string>()
  for (let certificate: DetailedPeerCertificate | undefined = leaf; certificate?.valid_to !== undefined && !seen.has(certificate.fingerprint256); certificate = certificate.issuerCertificate) {
    seen.add(certificate.fingerprint256)
    first = Math.min(first, Date.parse(certificate.valid_to))
  }
  if (!Number.isFinite(first)) return { fault: 'it showed no certificate', text: '' }
  const left = Math.floor((first - now) / 86_400_000)
  if (left < days) return { fault: left < 0 ? 'its certificate has ended' : `its certificate ends in ${daysOf(left)}`, text: '' }
  return { text: `certificate good for ${daysOf(left)}` }
}

const daysOf = (days: number): string => `${days} ${days === 1 ? 'day' : 'days'}`
