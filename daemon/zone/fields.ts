// The kinds of RDATA fields that the rows of daemon/wire/types.ts speak of.
import { nameFault } from '../wire/name.ts'
import { type Entry, refuse, tokenText } from './entry.ts'
import { copyToken, type Data, expect, type Field, numberField, plainDuration, quote, readName, take, takeOctets, takeRest, write32, write8 } from './field.ts'
import { eui48, eui64, ipv4, ipv6, locator, prefixes } from './field-addresses.ts'
import { base32, base64, digest, hex, salt } from './field-binary.ts'
import { algorithm, amtrelay, certtype, dsyncscheme, ipseckey, time, type, types } from './field-keys.ts'
import { loc } from './field-loc.ts'
import { hip, nsap, takeName, wks } from './field-old.ts'
import { svcparams } from './field-svcparams.ts'

const name: Field = {
  read: (entry, what) => {
    if (!expect(entry, what)) return false
    const token = entry.next++
    const length = readName(entry, token)
    return length > 0 || refuse(entry, token, `${what}: ${nameFault(length)}`)
  },
  // Names in RDATA are not compressed, so that a pointer is no name here.
  print: takeName
}

/** Seconds, with or without units. */
const ttl: Field = {
  read: (entry, what) => {
    if (!expect(entry, what)) return false
    const token = entry.next++
    const value = entry.quoted[token] === 1 ? -1 : plainDuration(entry, token, 0xffff_ffff)
    if (value < 0) return refuse(entry, token, `expected ${what}, seconds such as 3600 or 1h, found ${tokenText(entry, token)}`)
    write32(entry, value)
    return true
  },
  print: (data) => take(data, 4)?.toString()
}

/** A character-string: at most 255 octets behind their length (RFC 1035 §3.3). */
function readString(entry: Entry, what: string): boolean {
  if (!expect(entry, what)) return false
  const token = entry.next++
  const length = copyToken(entry, token, entry.write + 1)
  if (length < 0) return refuse(entry, token, `${what}: a backslash needs a character or three digits from 000 to 255 behind it`)
  if (length > 255) return refuse(entry, token, `${what}: ${length} octets, and a string holds 255`, 'split it into several: "…" "…"')
  entry.out[entry.write] = length
  entry.write += length + 1
  return true
}

function printString(data: Data): string | undefined {
  const length = take(data, 1)
  const octets = length === undefined ? undefined : takeOctets(data, length)
  return octets === undefined ? undefined : quote(octets)
}

/** A string, or nothing more. */
const maybestring: Field = {
  read: (entry, what) => entry.next === entry.count || readString(entry, what),
  print: (data) => (data.at === data.end ? '' : printString(data))
}

/** One string or more, to the end. */
const strings: Field = {
  read: (entry, what) => {
    do {
      if (!readString(entry, what)) return false
    } while (entry.next < entry.count)
    return true
  },
  print: (data) => {
    const all: string[] = []
    do {
      const text = printString(data)
      if (text === undefined) return undefined
      all.push(text)
    } while (data.at < data.end)
    return all.join(' ')
  }
}

/** Octets without a length, to the end of the RDATA. */
const text: Field = {
  read: (entry, what) => {
    if (!expect(entry, what)) return false
    const token = entry.next++
    const length = copyToken(entry, token, entry.write)
    if (length < 0) return refuse(entry, token, `${what}: a backslash needs a character or three digits from 000 to 255 behind it`)
    entry.write += length
    return true
  },
  print: (data) => quote(takeRest(data))
}

/** The tag of CAA: letters and digits behind their length (RFC 8659 §4.1). */
const tag: Field = {
  read: (entry, what) => {
    if (!expect(entry, what)) return false
    const token = entry.next++
    const length = copyToken(entry, token, entry.write + 1)
    if (!isTag(entry.out.subarray(entry.write + 1, entry.write + 1 + length))) {
      return refuse(entry, token, `expected ${what}, letters and digits such as issue, issuewild or iodef, found ${tokenText(entry, token)}`)
    }
    write8(entry, length)
    entry.write += length
    return true
  },
  print: (data) => {
    const length = take(data, 1)
    const octets = length === undefined ? undefined : takeOctets(data, length)
    return octets !== undefined && isTag(octets) ? String.fromCharCode(...octets) : undefined
  }
}

function isTag(octets: Uint8Array): boolean {
  return octets.length > 0 && octets.every((octet) => (octet >= 48 && octet <= 57) || ((octet | 0x20) >= 97 && (octet | 0x20) <= 122))
}

/** The name of a policy: printable ASCII, to the end. */
const policy: Field = {
  read: (entry, what) => {
    if (!expect(entry, what)) return false
    const token = entry.next++
    const length = copyToken(entry, token, entry.write)
    const octets = entry.out.subarray(entry.write, entry.write + length)
    if (length < 1 || octets.some((octet) => octet <= 0x20 || octet > 0x7e)) return refuse(entry, token, `expected ${what}, the name of a policy, found ${tokenText(entry, token)}`)
    entry.write += length
    return true
  },
  print: (data) => String.fromCharCode(...takeRest(data))
}

/** Every kind, by the word that rows use. */
export const FIELD_KINDS: Readonly<Record<string, Field>> = {
  u8: numberField(1),
  u16: numberField(2),
  u32: numberField(4),
  ttl,
  name,
  exactname: name,
  string: { read: readString, print: printString },
  maybestring,
  strings,
  text,
  tag,
  policy,
  ipv4,
  ipv6,
  eui48,
  eui64,
  locator,
  prefixes,
  hex,
  base64,
  base32,
  salt,
  digest,
  algorithm,
  certtype,
  type,
  types,
  time,
  ipseckey,
  amtrelay,
  dsyncscheme,
  nsap,
  hip,
  wks,
  loc,
  svcparams
}
