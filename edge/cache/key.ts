import { createHash } from 'node:crypto'

/** What is asked for: the distribution, the host that the origin is told, and path and query as they came. */
export interface Asked {
  readonly distribution: string
  readonly host: string
  readonly target: string
}

/** The key under which responses to this are held. No part may hold a space, so no two keys meet. */
export const primaryKey = (asked: Asked): string => `${asked.distribution} ${asked.host} ${asked.target}`

/**
 * Stands among the names that responses vary by where a cache policy makes more parts of the key than host and target: its value
 * is those parts. No field can have this name.
 */
export const POLICY_PARTS = ':policy'

/** The id of an object: the SHA-256 of its key in hexadecimal. @param parts of the key beside the primary one, a line each */
export const objectId = (primary: string, parts: readonly string[]): string => createHash('sha256').update([primary, ...parts].join('\n'), 'latin1').digest('hex')

/** By which request fields the responses under one primary key differ. */
export interface Varying {
  /** In lower case, sorted; POLICY_PARTS may stand before them. */
  readonly names: readonly string[]
  /** Part of the variants' keys: once it is forgotten they are out of reach, whatever comes after it. */
  readonly generation: number
}

/**
 * The key of one variant (RFC 9111 §4.1): the primary one and the request's values of the fields that chose it. Spaces after
 * the commas of Accept-Encoding and its like have no meaning; in other fields an origin may tell them apart.
 * @param valueOf the request's value of a field, named in lower case
 */
export function variantKey(primary: string, { names, generation }: Varying, valueOf: (name: string) => string | undefined): string {
  let key = `${primary}\n#${generation}`
  for (const name of names) {
    const value = valueOf(name)
    // An absent field is not the same as an empty one.
    key += value === undefined ? `\n${name}` : `\n${name}:${normalValue(name, value)}`
  }
  return key
}

/** White space around commas says nothing in these, nor does the case of language tags (RFC 4647 §2.1); their order does to some origins. */
function normalValue(name: string, value: string): string {
  if (!name.startsWith('accept')) return value
  const spaced = value.split(',').map((member) => member.trim()).join(',')
  return name === 'accept-language' ? spaced.toLowerCase() : spaced
}
