import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { messageOf } from './trouble.ts'

/** A certificate and its private key, checked. */
export interface CertificatePair {
  /** PEM texts. */
  readonly certificate: string
  readonly key: string
  /** Of the server itself, the first of the chain. */
  readonly leaf: X509Certificate
  /** Wall time in milliseconds. */
  readonly notAfter: number
}

/** What is wrong with a pair, and in which of its two files. */
export interface CertificateTrouble {
  readonly file: 'certificate' | 'key'
  readonly reason: string
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Reads a PEM chain and the private key of its first certificate; tells what is wrong, in words without secrets. */
export function readCertificatePair(certificate: string, key: string): CertificatePair | CertificateTrouble {
  const blocks = certificate.match(BLOCK)
  if (blocks === null) return { file: 'certificate', reason: 'it holds no certificate in PEM' }
  let leaf: X509Certificate | undefined
  for (const [index, block] of blocks.entries()) {
    try {
      const read = new X509Certificate(block)
      leaf ??= read
    } catch (error) {
      return { file: 'certificate', reason: `its certificate number ${index + 1} cannot be read: ${messageOf(error)}` }
    }
  }
  let secret: KeyObject
  try {
    secret = createPrivateKey(key)
  } catch {
    return { file: 'key', reason: /ENCRYPTED/.test(key) ? 'the private key is encrypted' : 'it holds no private key in PEM' }
  }
  if (!leaf!.checkPrivateKey(secret)) return { file: 'key', reason: 'the private key is not that of the certificate' }
  return { certificate, key, leaf: leaf!, notAfter: Date.parse(leaf!.validTo) }
}

/** Whether a certificate is for a host name, by its alternative names alone (RFC 9110 §4.3.4). */
export const coversName = (leaf: X509Certificate, name: string): boolean => leaf.checkHost(name, { subject: 'never' }) !== undefined
