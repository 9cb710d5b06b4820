import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { parseAddress } from '../../core/address.ts'
import { bitString, boolean, explicit, implicit, integer, octetString, oid, sequence, set, time, utf8 } from './der.ts'

/** A certificate and its private key, as PEM texts. */
export interface Issued {
  readonly certificate: string
  readonly key: string
}

const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))
const COMMON_NAME = '2.5.4.3'
const LONGEST_COMMON_NAME = 64
/** Bits of KeyUsage (RFC 5280 §4.2.1.3), the first one the most significant. */
const DIGITAL_SIGNATURE = bitString(Buffer.from([0x80]), 7)
const SIGNS_CERTIFICATES = bitString(Buffer.from([0x06]), 1)
/** Clocks of clients may be behind. */
const BACKDATED_MS = 3600_000

const distinguishedName = (commonName: string): Buffer => sequence(set(sequence(oid(COMMON_NAME), utf8(commonName.slice(0, LONGEST_COMMON_NAME)))))

const extension = (id: string, isCritical: boolean, value: Buffer): Buffer => sequence(oid(id), ...(isCritical ? [boolean(true)] : []), octetString(value))

const spki = (key: KeyObject): Buffer => createPublicKey(key).export({ type: 'spki', format: 'der' })

/** A name for a key that tells it from others (RFC 7093 §2, method 1). */
const keyIdentifier = (key: KeyObject): Buffer => createHash('sha256').update(spki(key)).digest().subarray(0, 20)

interface Contents {
  readonly subject: string
  readonly key: KeyObject
  readonly issuer: { readonly name: string; readonly key: KeyObject }
  readonly from: number
  readonly until: number
  readonly extensions: readonly Buffer[]
}

/** A certificate of version 3 (RFC 5280 §4.1), signed with ECDSA. */
function makeCertificate({ subject, key, issuer, from, until, extensions }: Contents): Issued {
  const serial = randomBytes(16)
  serial[0]! &= 0x7f
  const all = [...extensions, extension('2.5.29.14', false, octetString(keyIdentifier(key))), extension('2.5.29.35', false, sequence(implicit(0, keyIdentifier(issuer.key))))]
  const signed = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serial),
    ECDSA_WITH_SHA256,
    distinguishedName(issuer.name),
    sequence(time(from - BACKDATED_MS), time(until)),
    distinguishedName(subject),
    spki(key),
    explicit(3, sequence(...all))
  )
  const der = sequence(signed, ECDSA_WITH_SHA256, bitString(sign('sha256', signed, issuer.key)))
  const lines = der.toString('base64').match(/.{1,64}/g)!.join('\n')
  return { certificate: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`, key: String(key.export({ type: 'pkcs8', format: 'pem' })) }
}

const makeKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

/** An authority of its own that signs certificates for servers, and no other authorities. Times in milliseconds. @param name letters, digits, spaces, full stops and hyphens */
export function makeAuthority(name: string, from: number, until: number): Issued {
  const key = makeKey()
  const extensions = [
    extension('2.5.29.19', true, sequence(boolean(true), integer(Buffer.from([0])))),
    extension('2.5.29.15', true, SIGNS_CERTIFICATES)
  ]
  return makeCertificate({ subject: name, key, issuer: { name, key }, from, until, extensions })
}

/**
 * A certificate for a server.
 * @param names host names, with `*.` in front or not, and addresses; the first names the certificate
 * @param from milliseconds, as `until`
 */
export function issueCertificate(authority: Issued, names: readonly string[], from: number, until: number): Issued {
  const issuer = { name: commonNameOf(authority.certificate), key: createPrivateKey(authority.key) }
  const alternatives = names.map((name) => (isIP(name) === 0 ? implicit(2, Buffer.from(name, 'latin1')) : implicit(7, Buffer.from(parseAddress(name)!.bytes))))
  const extensions = [
    extension('2.5.29.15', true, DIGITAL_SIGNATURE),
    extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.17', false, sequence(...alternatives))
  ]
  return makeCertificate({ subject: names[0]!, key: makeKey(), issuer, from, until, extensions })
}

const commonNameOf = (certificate: string): string => /^CN=(.*)$/m.exec(new X509Certificate(certificate).subject)?.[1] ?? ''
