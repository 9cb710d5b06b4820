import type { Config } from '../../core/config.ts'

/** A transparent GIF of one pixel. */
export const BEACON = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')

/** Edges that one view measures, of those there are. */
const MOST_EDGES = 8

/** Where browsers reach each edge alone. */
export function edgeUrls({ edges, latency }: Config, port: number): Record<string, string> {
  return Object.fromEntries(Object.entries(edges).map(([name, { address }]) => {
    const first = address[0]!
    const plain = `http://${first.includes(':') ? `[${first}]` : first}${port === 80 ? '' : `:${port}`}`
    return [name, (latency.urls[name] ?? plain).replace(/\/$/, '')]
  }))
}

/**
 * The script that measures from a browser. Of each edge it takes the shortest of a handshake and some first octets (Resource
 * Timing, which needs Timing-Allow-Origin of other hosts), and tells the edge it came from: that one knows its network.
 */
export function latencyScript(urls: Readonly<Record<string, string>>, share: number): string {
  return `(() => {
  const script = document.currentScript
  const share = Number(script?.dataset.share ?? ${share})
  if (script === null || typeof PerformanceObserver !== 'function' || !(Math.random() < share)) return
  const urls = ${JSON.stringify(urls).replaceAll('<', '\\u003c')}
  const here = new URL(script.src).origin
  const best = new Map()
  const edgeOf = (url) => Object.keys(urls).find((name) => url.startsWith(urls[name] + '/.nearcast/beacon.gif?'))
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const name = edgeOf(entry.name)
      if (name === undefined || !(entry.requestStart > 0)) continue
      const handshake = (entry.secureConnectionStart || entry.connectEnd) - entry.connectStart
      const times = [entry.responseStart - entry.requestStart, handshake].filter((time) => time >= 0.1)
      if (times.length > 0) best.set(name, Math.min(best.get(name) ?? Infinity, ...times))
    }
  }).observe({ type: 'resource' })
  const pause = (time) => new Promise((resolve) => setTimeout(resolve, time))
  const measure = async () => {
    const names = Object.keys(urls).sort(() => Math.random() - 0.5).slice(0, ${MOST_EDGES})
    for (const name of names) {
      for (let turn = 0; turn < 3; turn++) {
        const url = urls[name] + '/.nearcast/beacon.gif?' + Math.random().toString(36).slice(2)
        await fetch(url, { mode: 'cors', credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(5000) }).then((answer) => answer.arrayBuffer(), () => { turn = 3 })
      }
    }
    await pause(500)
    const report = [...best].map(([name, time]) => name + '=' + Math.min(4000, time).toFixed(1)).join('&')
    if (report !== '') navigator.sendBeacon(here + '/.nearcast/latency', report)
  }
  const begin = () => pause(1000).then(measure)
  if (document.readyState === 'complete') begin()
  else addEventListener('load', begin)
})()
`
}
