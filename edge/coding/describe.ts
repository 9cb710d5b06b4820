import { mayBeRecoded, type Compression } from './compression.ts'
import { fieldOf, filterFields, fromLines, listMembers, toLines, type Coding } from '../message/index.ts'

/** Fields that are true of the octets as they came alone. */
const OF_THE_OCTETS = new Set(['accept-ranges', 'content-digest', 'content-encoding', 'content-md5', 'digest', 'etag', 'repr-digest'])

/** The tag of a representation that means the same in other octets (RFC 9110 §8.8.1). */
const weakened = (etag: string): string => (etag.startsWith('W/') ? etag : `W/${etag}`)

/** The field lines of a response as they are with its body compressed. */
export const describeCoded = (lines: string, coding: Coding): string => describe(lines, ['Content-Encoding', coding])

/** The field lines of a response as they are with its body decompressed. */
export const describePlain = (lines: string): string => describe(lines, [])

function describe(lines: string, more: readonly string[]): string {
  const fields = fromLines(lines)
  const etag = fieldOf(fields, 'etag')
  const tag = etag === undefined ? [] : ['ETag', weakened(etag)]
  return withVary(toLines([...filterFields(fields, (name) => !OF_THE_OCTETS.has(name)), ...tag, ...more]))
}

/** The lines of a response as it is held where its coding is chosen by the viewer. */
export const describeHeld = ({ isText }: Compression, status: number, lines: string): string => ((status === 200 || status === 206) && mayBeRecoded(isText, fromLines(lines)) ? withVary(lines) : lines)

/** Says to other caches that the response differs by Accept-Encoding. */
function withVary(lines: string): string {
  const vary = fieldOf(fromLines(lines), 'vary')
  const names = listMembers((vary ?? '').toLowerCase())
  return names.includes('*') || names.includes('accept-encoding') ? lines : `${lines}Vary: Accept-Encoding\r\n`
}
