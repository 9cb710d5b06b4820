const HOST = /^(?:(\[[0-9a-f:.]+\])|([a-z0-9._~!$&'()*+,;=%-]+?)\.?)(?::\d{0,5})?$/
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i

const REMEMBERED = 256
const remembered = new Map<string, string>()

/**
 * The name in a Host field or authority: lower case, without port and final dot; IPv6 addresses keep their brackets.
 * @returns undefined when it is no host (RFC 9110 §7.2), user information and the empty name among them
 */
export function hostOf(value: string): string | undefined {
  const known = remembered.get(value)
  if (known !== undefined) return known
  const match = value.length > 255 + 6 ? null : HOST.exec(value.toLowerCase())
  if (match === null) return undefined
  const host = match[1] ?? match[2]!
  // The same few names come again and again; a flood of others must not make this grow.
  if (remembered.size >= REMEMBERED) remembered.clear()
  remembered.set(value, host)
  return host
}

/** Takes `http://host/path` apart (RFC 9112 §3.2.2): what it names goes before the Host field. */
export function absoluteTarget(target: string): { readonly host: string; readonly target: string } | undefined {
  const match = ABSOLUTE.exec(target)
  if (match === null) return undefined
  const host = hostOf(match[1]!)
  if (host === undefined) return undefined
  return { host, target: match[2]!.startsWith('/') ? match[2]! : `/${match[2]!}` }
}
