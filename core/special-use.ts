import { parsePrefix, type Prefix } from './address.ts'

// Networks that no viewer on the Internet has (the registries of RFC 6890): loopback, private, documentation and the like.
const SPECIAL = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16',
  '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/3',
  // Of what is for hosts (2000::/3): protocols, Teredo and the rest of 2001::/23, 6to4, documentation.
  '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'
].map((text) => parsePrefix(text)!)

const GLOBAL = parsePrefix('2000::/3')!

/** Whether an address is of a network that is nowhere on the Internet. @param bytes 4 or 16 octets */
export function isSpecialUse(bytes: Uint8Array): boolean {
  return (bytes.length === 16 && !contains(GLOBAL, bytes)) || SPECIAL.some((prefix) => contains(prefix, bytes))
}

/** Whether an address lies in a prefix of its family. */
export function contains(prefix: Prefix, bytes: Uint8Array): boolean {
  if (prefix.bytes.length !== bytes.length) return false
  for (let octet = 0; octet * 8 < prefix.length; octet++) {
    const bits = Math.min(8, prefix.length - octet * 8)
    if (((prefix.bytes[octet]! ^ bytes[octet]!) & (0xff << (8 - bits))) !== 0) return false
  }
  return true
}
