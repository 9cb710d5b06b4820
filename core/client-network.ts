import { maskBytes, parseAddress, type Prefix } from './address.ts'
import { isSpecialUse } from './special-use.ts'

/** The network a viewer is counted under: a /24, a /48 of IPv6. */
export interface ClientNetwork {
  /** `192.0.2.0/24`, `2001:db8:1:0::/48`: the same text for the same network, and one that `parsePrefix` reads. */
  readonly key: string
  /** Which of its viewers: the last octet of an IPv4 address, the number of the /56 within the /48. */
  readonly voter: number
}

/** The network of an address as a socket has it; undefined when it is none. By hand: it is asked for every connection. */
export function clientNetwork(address: string): ClientNetwork | undefined {
  const mapped = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
  const dot = mapped.lastIndexOf('.')
  if (dot > 0) {
    const voter = Number(mapped.slice(dot + 1))
    return Number.isInteger(voter) && mapped.indexOf(':') < 0 ? { key: `${mapped.slice(0, dot)}.0/24`, voter } : undefined
  }
  const zone = mapped.indexOf('%')
  const [head = '', tail] = (zone < 0 ? mapped : mapped.slice(0, zone)).split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail === undefined && groups.length !== 8) return undefined
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const group = (at: number): number => {
    const text = groups[at] ?? after[at - (8 - after.length)] ?? '0'
    return Number.parseInt(text, 16)
  }
  const [a, b, c, d] = [group(0), group(1), group(2), group(3)]
  if (Number.isNaN(a + b + c + d)) return undefined
  return { key: `${a.toString(16)}:${b.toString(16)}:${c.toString(16)}::/48`, voter: d >>> 8 }
}

/** The network of a key, when it is one of a viewer's; undefined for any other text. */
export function networkOfKey(key: string): Prefix | undefined {
  const slash = key.indexOf('/')
  const address = parseAddress(key.slice(0, slash))
  const length = address?.family === 4 ? 24 : 48
  if (address === undefined || key.slice(slash) !== `/${length}` || maskBytes(address.bytes, length).some((octet, at) => octet !== address.bytes[at])) return undefined
  return { ...address, length }
}

/** Whether a network is one that no viewer on the Internet has. */
export const isSpecialNetwork = (key: string): boolean => {
  const network = networkOfKey(key)
  return network === undefined || isSpecialUse(network.bytes)
}
