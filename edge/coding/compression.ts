import type { Config } from '../../core/config.ts'
import { matchesGlob } from '../../core/glob.ts'
import { acceptedCodings, fieldOf, fromLines, listMembers, type Coding } from '../message/index.ts'
import { codingOf, OFFERED } from './codec.ts'

type Written = Config['distributions'][string]['behaviours'][number]['compress']

/** What is compressed, resolved. */
export interface Compression {
  readonly isText: (type: string) => boolean
  readonly least: number
  readonly most: number
}

/** How a stored response is to be answered: as it is, compressed, or decompressed. */
export type Wish = { readonly kind: 'as it is' } | { readonly kind: 'encode'; readonly coding: Coding } | { readonly kind: 'decode'; readonly coding: Coding }

/** Types that grow smaller: text in the wide sense. */
const TYPES = ['text/*', 'application/javascript', 'application/json', 'application/xml', 'application/wasm', 'application/manifest+json', 'application/*+json', 'application/*+xml', 'application/vnd.ms-fontobject', 'image/svg+xml', 'image/bmp', 'image/x-icon', 'font/otf', 'font/ttf']

/** Undefined: bodies are left as they are. */
export function readCompression(written: Written): Compression | undefined {
  if (written === false) return undefined
  const { types, 'min-size': least, 'max-size': most } = written
  const wanted = types ?? TYPES
  return { isText: (type) => wanted.some((pattern) => matchesGlob(pattern, type)), least, most }
}

const AS_IT_IS: Wish = { kind: 'as it is' }

/**
 * @param lines of the stored response
 * @param accepted the request's Accept-Encoding
 */
export function wishFor({ isText, least, most }: Compression, response: { readonly status: number; readonly lines: string }, length: number, accepted: string | undefined): Wish {
  if (response.status !== 200) return AS_IT_IS
  const fields = fromLines(response.lines)
  const coded = fieldOf(fields, 'content-encoding')
  const taken = acceptedCodings(accepted)
  if (coded !== undefined) {
    const coding = codingOf(coded)
    return coding === undefined || taken.includes(coding) || mayNotChange(fields) ? AS_IT_IS : { kind: 'decode', coding }
  }
  const coding = length < least || length > most ? undefined : OFFERED.find((offered) => taken.includes(offered))
  if (coding === undefined || !isText(typeOf(fields)) || mayNotChange(fields)) return AS_IT_IS
  return { kind: 'encode', coding }
}

/** Whether some viewers may get it in another coding than others. */
export const mayBeRecoded = (isText: Compression['isText'], fields: readonly string[]): boolean => {
  const coded = fieldOf(fields, 'content-encoding')
  return !mayNotChange(fields) && (coded === undefined ? isText(typeOf(fields)) : codingOf(coded) !== undefined)
}

const typeOf = (fields: readonly string[]): string => (fieldOf(fields, 'content-type') ?? '').split(';')[0]!.trim().toLowerCase()

/** RFC 9111 §5.2.2.6 */
const mayNotChange = (fields: readonly string[]): boolean => listMembers((fieldOf(fields, 'cache-control') ?? '').toLowerCase()).includes('no-transform')
