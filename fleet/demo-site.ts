import { createHash } from 'node:crypto'

/** An answer of the demo site. */
export interface Page {
  readonly status: number
  readonly type: string
  readonly cacheControl: string
  readonly body: Buffer
}

export interface Asked {
  /** Path and query. */
  readonly target: string
  /** Wall time, milliseconds. */
  readonly now: number
  /** Via of the request: the caches that it came through. */
  readonly via: string | undefined
}

const MINUTE = 'max-age=60'
const MAX_BIG = 64 * 1024 * 1024

const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Nearcast demo site</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="/logo.svg">
</head>
<body>
<main>
<img src="/logo.svg" alt="" width="88" height="88">
<h1>You reached the nearest edge.</h1>
<p>This page comes from the demo origin, by way of a shield, a regional cache and the edge that the DNS chose for you.
Which one that was, and what each cache did, is written in the head of the response. Ask for it with</p>
<pre>curl -i http://ADDRESS:8080/ -H 'Host: d111111abcdef8.nearcast.test'</pre>
<dl>
<dt>X-Nearcast-Pop</dt><dd>the edge that answered: <code>icn</code> is Seoul, <code>fra</code> Frankfurt</dd>
<dt>X-Cache</dt><dd><code>Miss</code> the first time, <code>Hit</code> for the next minute, <code>RefreshHit</code> when the edge asked whether this is still the same</dd>
<dt>Cache-Status</dt><dd>what each cache did, the one nearest to the origin first</dd>
<dt>Age</dt><dd>seconds since the origin made it</dd>
<dt>Via</dt><dd>the caches that it passed</dd>
</dl>
<ul>
<li><a href="/time">/time</a> is never stored</li>
<li><a href="/slow?ms=1500">/slow?ms=1500</a> takes its time</li>
<li><a href="/big?bytes=1048576">/big?bytes=1048576</a> is large</li>
<li><a href="/status/404">/status/404</a> is what it says</li>
</ul>
</main>
</body>
</html>
`

const CSS = `:root { color-scheme: light dark; --ink: #17202a; --paper: #fbfaf7; --line: #d9d4c7; --mark: #0b6e63 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6df; --paper: #14181b; --line: #30383d; --mark: #5fd3c1 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.6 system-ui, sans-serif }
main { max-width: 42rem; margin: 0 auto; padding: 4rem 1.5rem }
h1 { font-size: 2.2rem; line-height: 1.15; letter-spacing: -0.02em; margin: 1.5rem 0 1rem; text-wrap: balance }
pre { overflow-x: auto; padding: 0.9rem 1.1rem; border: 1px solid var(--line); border-radius: 6px; font-size: 0.85rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.4rem 1.5rem; margin: 2rem 0 }
dt { font: 600 0.9rem/1.8 ui-monospace, monospace; color: var(--mark) }
dd { margin: 0 }
ul { list-style: none; margin: 0; padding: 1.2rem 0 0; border-top: 1px solid var(--line) }
a { color: var(--mark) }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: 0.8rem } }
`

const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 88 88" fill="none" stroke="#0b6e63" stroke-width="5" stroke-linecap="round">
<circle cx="44" cy="60" r="6" fill="#0b6e63" stroke="none"/>
<path d="M27 50a20 20 0 0 1 34 0M16 40a33 33 0 0 1 56 0M6 29a46 46 0 0 1 76 0"/>
</svg>
`

const page = (status: number, type: string, cacheControl: string, text: string): Page => ({ status, type: `${type}; charset=utf-8`, cacheControl, body: Buffer.from(text) })

/** What the demo site answers; depends on nothing else. `/slow` is answered as if it were not slow: see `delayOf`. */
export function demoPage({ target, now, via }: Asked): Page {
  const { path, query } = split(target)
  switch (path) {
    case '/':
      return page(200, 'text/html', MINUTE, HTML)
    case '/style.css':
      return page(200, 'text/css', MINUTE, CSS)
    case '/logo.svg':
      return page(200, 'image/svg+xml', 'max-age=3600', LOGO)
    case '/time':
      return page(200, 'text/plain', 'no-store', `${new Date(now).toISOString()}\ncame by way of ${via ?? 'no cache'}\n`)
    case '/slow':
      return page(200, 'text/plain', MINUTE, `waited ${delayOf(target)} ms\n`)
    case '/big':
      return { status: 200, type: 'application/octet-stream', cacheControl: MINUTE, body: pattern(whole(query.get('bytes'), 1024 * 1024, MAX_BIG)) }
    default: {
      const status = /^\/status\/([2-5]\d\d)$/.exec(path)
      if (status !== null) return page(Number(status[1]), 'text/plain', 'max-age=5', `status ${status[1]}\n`)
      return page(404, 'text/plain', 'max-age=5', `there is no ${path} here; try /\n`)
    }
  }
}

/** How long the answer is to be held back, in milliseconds: `/slow?ms=`, 30 s at most. */
export function delayOf(target: string): number {
  const { path, query } = split(target)
  return path === '/slow' ? whole(query.get('ms'), 1000, 30_000) : 0
}

function split(target: string): { path: string; query: URLSearchParams } {
  const mark = target.indexOf('?')
  return mark < 0 ? { path: target, query: new URLSearchParams() } : { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) }
}

/** Names the body (RFC 9110 §8.8.3). */
export const etagOf = (page: Page): string => `"${createHash('sha256').update(page.body).digest('base64url').slice(0, 22)}"`

function whole(text: string | null, preset: number, most: number): number {
  return text !== null && /^\d{1,9}$/.test(text) ? Math.min(Number(text), most) : preset
}

/** Octets in which a missing or doubled piece shows. */
function pattern(length: number): Buffer {
  const body = Buffer.allocUnsafe(length)
  for (let at = 0; at < length; at += 16) body.write(`${at.toString(16).padStart(15, '0')}\n`, at, 'latin1')
  return body
}
