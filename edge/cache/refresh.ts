import { filterFields, fromLines, type FieldList } from '../message/index.ts'

/** Fields of a 304 that speak of the body's octets, which the stored one keeps (RFC 9111 §3.2), its own tag among them. */
const KEPT = new Set(['content-length', 'content-encoding', 'content-range', 'content-md5', 'etag'])

/** The fields of a stored response (its lines) brought up to date with those of a 304 (RFC 9111 §4.3.4). */
export function mergeFields(lines: string, fields: FieldList): string[] {
  const updates = filterFields(fields, (name) => !KEPT.has(name))
  const updated = new Set<string>()
  for (let at = 0; at < updates.length; at += 2) updated.add(updates[at]!.toLowerCase())
  return [...filterFields(fromLines(lines), (name) => !updated.has(name)), ...updates]
}
