/** Field lines in order, name and value in turn (`rawHeaders` of Node); names keep the case in which they came. */
export type FieldList = readonly string[]

/** The value of a field, its lines joined by `, ` (RFC 9110 §5.3); undefined when it is absent. `name` in lower case. */
export function fieldOf(fields: FieldList, name: string): string | undefined {
  let value: string | undefined
  for (let at = 0; at < fields.length; at += 2) {
    const candidate = fields[at]!
    if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue
    value = value === undefined ? fields[at + 1]! : `${value}, ${fields[at + 1]!}`
  }
  return value
}

/** The fields that `keep` approves of; it is given names in lower case. */
export function filterFields(fields: FieldList, keep: (name: string) => boolean): string[] {
  const kept: string[] = []
  for (let at = 0; at < fields.length; at += 2) if (keep(fields[at]!.toLowerCase())) kept.push(fields[at]!, fields[at + 1]!)
  return kept
}

/** Each field as a line that ends in CRLF. */
export function toLines(fields: FieldList): string {
  let lines = ''
  for (let at = 0; at < fields.length; at += 2) lines += `${fields[at]!}: ${fields[at + 1]!}\r\n`
  return lines
}

/**
 * The same text in memory of its own, one octet a character. What is put together from pieces, or cut out of something
 * larger, otherwise holds on to all of that for as long as it lives.
 */
export const flat = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')

/** The opposite of `toLines`. */
export function fromLines(lines: string): string[] {
  const fields: string[] = []
  for (const line of lines.split('\r\n')) {
    if (line === '') continue
    const colon = line.indexOf(': ')
    fields.push(line.slice(0, colon), line.slice(colon + 2))
  }
  return fields
}

/** The members of a comma-separated list, trimmed, empty ones left out; commas within quotes do not separate (RFC 9110 §5.6.1). A quote that is never closed hides nothing. */
export function listMembers(value: string): string[] {
  const members: string[] = []
  let start = 0
  let quoted = false
  for (let at = 0; at <= value.length; at++) {
    const char = value[at]
    if (char === '"') quoted = !quoted
    else if (char === '\\' && quoted) at++
    if (at < value.length && (char !== ',' || quoted)) continue
    const member = value.slice(start, at).trim()
    if (member !== '') members.push(member)
    start = at + 1
  }
  if (quoted) return value.split(',').map((member) => member.trim()).filter((member) => member !== '')
  return members
}

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'])

/** Whether a field is for one connection only: by its name, or named in `Connection` (RFC 9110 §7.6.1). */
export function hopByHop(fields: FieldList): (name: string) => boolean {
  const connection = fieldOf(fields, 'connection')
  if (connection === undefined) return (name) => HOP_BY_HOP.has(name)
  const listed = new Set(listMembers(connection.toLowerCase()))
  return (name) => HOP_BY_HOP.has(name) || listed.has(name)
}
