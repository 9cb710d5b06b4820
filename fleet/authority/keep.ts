import { randomBytes, X509Certificate } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { isIP } from 'node:net'
import { readCertificatePair, type CertificatePair } from '../../core/certificate.ts'
import type { Config } from '../../core/config.ts'
import { ownTls } from '../../core/own-tls.ts'
import { replaceFile } from '../../core/replace-file.ts'
import { issueCertificate, makeAuthority, type Issued } from './certificate.ts'

const DAY = 86_400_000
const AUTHORITY_DAYS = 3650
const CERTIFICATE_DAYS = 90
/** What is left when they are made anew: a year for who trusts the authority, a month for a fleet that is rarely looked at. */
const AUTHORITY_LEFT = 365 * DAY
const CERTIFICATE_LEFT = 30 * DAY
const TICKETS_DAYS = 1
/** The name, key for encryption and key for authentication of tickets, 16 octets each. */
const TICKET_OCTETS = 48

/**
 * Makes what is missing, damaged or about to expire in `tls/` of the state folder: for owners' eyes only.
 * @param now wall time in milliseconds
 * @returns what was made, in words for the log
 */
export function keepCertificates(stateFolder: string, config: Config, now: number): string[] {
  const paths = ownTls(stateFolder)
  const made: string[] = []
  const folder = dirname(paths.key)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  const authority = readPair(paths.authority, paths.authorityKey)
  const isGood = authority !== undefined && authority.notAfter - now > AUTHORITY_LEFT
  const issuer: Issued = isGood ? authority : makeAuthority(`Nearcast authority ${config.domain} ${new Date(now).toISOString().slice(0, 10)}`, now, now + AUTHORITY_DAYS * DAY)
  if (!isGood) {
    replaceFile(paths.authorityKey, issuer.key)
    replaceFile(paths.authority, issuer.certificate)
    made.push('an authority of its own')
  }
  const names = namesOf(config)
  if (names.length > 0 && !isCurrent(readPair(paths.certificate, paths.key), issuer, names, now)) {
    const issued = issueCertificate(issuer, names, now, now + CERTIFICATE_DAYS * DAY)
    replaceFile(paths.key, issued.key)
    replaceFile(paths.certificate, issued.certificate)
    made.push(`a certificate for ${names.length} names`)
  }
  if (!areTicketsCurrent(paths.tickets, now)) replaceFile(paths.tickets, randomBytes(TICKET_OCTETS))
  for (const path of Object.values(paths)) chmodIfThere(path)
  return made
}

/** The names of the distributions, and the addresses of the edges, where somebody asks for one of them directly. */
function namesOf(config: Config): string[] {
  const hosts = Object.entries(config.distributions).flatMap(([id, { aliases }]) => [`${id}.${config.domain}`, ...aliases])
  return [...new Set([...hosts, ...Object.values(config.edges).flatMap(({ address }) => address)])]
}

function readPair(certificate: string, key: string): CertificatePair | undefined {
  try {
    const pair = readCertificatePair(readFileSync(certificate, 'latin1'), readFileSync(key, 'latin1'))
    return 'leaf' in pair ? pair : undefined
  } catch {
    return undefined
  }
}

function isCurrent(pair: CertificatePair | undefined, issuer: Issued, names: readonly string[], now: number): boolean {
  if (pair === undefined || pair.notAfter - now < CERTIFICATE_LEFT) return false
  const { leaf } = pair
  const hosts = leaf.subjectAltName?.split(', ') ?? []
  return leaf.verify(new X509Certificate(issuer.certificate).publicKey) && names.every((name) => (isIP(name) === 0 ? hosts.includes(`DNS:${name}`) : leaf.checkIP(name) !== undefined))
}

function areTicketsCurrent(path: string, now: number): boolean {
  try {
    const { size, mtimeMs } = statSync(path)
    return size === TICKET_OCTETS && Math.abs(now - mtimeMs) < TICKETS_DAYS * DAY
  } catch {
    return false
  }
}

function chmodIfThere(path: string): void {
  try {
    chmodSync(path, 0o600)
  } catch {
    // There is none: a fleet without names has no certificate.
  }
}
