import zlib from 'node:zlib'
import { CODINGS, type Coding } from '../message/index.ts'

type Work = (body: Buffer, options: { maxOutputLength: number }, done: (error: Error | null, result: Buffer) => void) => void

const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = zlib.constants
const BROTLI_QUALITY = 5
const GZIP_LEVEL = 6

/** Newer versions of Node have it. */
const zstd = zlib as typeof zlib & { readonly zstdCompress?: Work; readonly zstdDecompress?: Work }

const ENCODERS: Partial<Record<Coding, Work>> = {
  br: (body, options, done) => zlib.brotliCompress(body, { ...options, params: { [BROTLI_PARAM_QUALITY]: BROTLI_QUALITY, [BROTLI_PARAM_SIZE_HINT]: body.length } }, done),
  gzip: (body, options, done) => zlib.gzip(body, { ...options, level: GZIP_LEVEL }, done),
  ...(zstd.zstdCompress !== undefined && { zstd: zstd.zstdCompress })
}

const DECODERS: Partial<Record<Coding, Work>> = {
  br: zlib.brotliDecompress,
  gzip: zlib.gunzip,
  ...(zstd.zstdDecompress !== undefined && { zstd: zstd.zstdDecompress })
}

/** The codings that this Node can make, in the order in which they are preferred. */
export const OFFERED: readonly Coding[] = CODINGS.filter((coding) => ENCODERS[coding] !== undefined)

/** What grows beyond this many times its size is a bomb: text grows to about twenty, and nothing that is meant to be read to a hundred. */
const MOST_TIMES = 100
const SPARE = 64 * 1024

/** The coding of a body by its Content-Encoding, where it is one alone that is known here. */
export const codingOf = (value: string): Coding | undefined => CODINGS.find((coding) => coding === value.trim().toLowerCase().replace(/^x-gzip$/, 'gzip'))

/** Compresses a body; undefined where that makes it no smaller. */
export const encode = (coding: Coding, body: Buffer): Promise<Buffer | undefined> => run(ENCODERS[coding], body, body.length - 1)

/** @param most octets that it may grow to; undefined where it is more than that or than a hundred times as much, or cannot be read */
export const decode = (coding: Coding, body: Buffer, most: number): Promise<Buffer | undefined> => run(DECODERS[coding], body, Math.min(most, body.length * MOST_TIMES + SPARE))

function run(work: Work | undefined, body: Buffer, maxOutputLength: number): Promise<Buffer | undefined> {
  if (work === undefined || maxOutputLength < 1) return Promise.resolve(undefined)
  return new Promise((resolve) => work(body, { maxOutputLength }, (error, result) => resolve(error === null && result.length <= maxOutputLength ? result : undefined)))
}
