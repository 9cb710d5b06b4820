import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import type { Config } from '../core/config.ts'
import { messageOf } from '../core/trouble.ts'

type Written = Config['distributions'][string]['error-pages'][string]

/** A page in place of an error; `status` is shown instead of the error's. */
export type Page =
  | { readonly kind: 'path'; readonly target: string; readonly status: number }
  | { readonly kind: 'file'; readonly body: Buffer; readonly type: string; readonly status: number }

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html; charset=utf-8', '.htm': 'text/html; charset=utf-8', '.json': 'application/json', '.svg': 'image/svg+xml', '.txt': 'text/plain; charset=utf-8', '.xml': 'application/xml' }

/** Reads the pages of a distribution by the status of the error; throws, in words for the operator, where a file cannot be read. */
export function readPages(written: Readonly<Record<string, Written>>): Map<number, Page> {
  return new Map(Object.entries(written).map(([error, page]) => [Number(error), readPage(Number(error), page)]))
}

function readPage(error: number, page: Written): Page {
  const { status = error } = page
  if ('path' in page) return { kind: 'path', target: page.path, status }
  try {
    return { kind: 'file', body: readFileSync(page.file), type: TYPES[extname(page.file).toLowerCase()] ?? 'application/octet-stream', status }
  } catch (trouble) {
    throw new Error(`error-pages: cannot read ${page.file}: ${messageOf(trouble)}`, { cause: trouble })
  }
}
