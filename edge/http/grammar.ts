const TOKEN_CHARS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"

/** For each octet that may stand in a token, the octet in lower case; 0 for the others (RFC 9110 §5.6.2). */
export const TOKEN = new Uint8Array(256)
for (const char of TOKEN_CHARS) {
  TOKEN[char.charCodeAt(0)] = char.charCodeAt(0)
  TOKEN[char.toUpperCase().charCodeAt(0)] = char.charCodeAt(0)
}

/** 1 for each octet that may stand in a field value: visible, obs-text, space and tab (RFC 9110 §5.5). */
export const VALUE = new Uint8Array(256)
VALUE.fill(1, 0x20, 0x7f)
VALUE.fill(1, 0x80, 0x100)
VALUE[9] = 1

/** 1 for each octet that is let through in a request target: visible ASCII without `#` (RFC 9112 §3.2; RFC 3986 §3.5). */
export const TARGET = new Uint8Array(256)
TARGET.fill(1, 0x21, 0x7f)
TARGET[0x23] = 0

/** A field's name with the hash that the parser computes of it, so that looking one up compares numbers first. */
export interface FieldName {
  readonly text: string
  readonly hash: number
}

/** Prepares a name (in lower case) for `requestField`. */
export function fieldName(text: string): FieldName {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0
  return { text, hash }
}
