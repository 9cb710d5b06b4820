import { request } from 'node:http'
import type { Clock } from '../../core/clock.ts'

/** What one request came to. */
export interface Fetched {
  readonly sentAt: number
  readonly at: number
  /** Why it failed, in a few words; absent when the representation came whole with a status below 400. */
  readonly failure?: string
}

/**
 * One GET as a viewer without an open connection sends it, the body read to its end.
 * @param timeoutMs after this long without a complete response it has failed
 */
export function fetchOnce(from: { address: string; port: number; host: string; path: string }, timeoutMs: number, clock: Clock): Promise<Fetched> {
  const sentAt = clock.elapsed()
  return new Promise((resolve) => {
    let settled = false
    const settle = (failure?: string): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      sending.destroy()
      resolve(failure === undefined ? { sentAt, at: clock.elapsed() } : { sentAt, at: clock.elapsed(), failure })
    }
    const { address, port, host, path } = from
    const sending = request({ host: address, port, path, method: 'GET', agent: false, headers: { host, connection: 'close', 'user-agent': 'nearcast-drill' } })
    const timer = setTimeout(() => settle(`no complete response in ${timeoutMs} ms`), timeoutMs)
    sending.on('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.message))
    sending.on('response', (response) => {
      const status = response.statusCode ?? 0
      response.on('error', () => settle('response cut short'))
      response.on('close', () => settle(response.complete ? undefined : 'response cut short'))
      response.on('end', () => settle(status < 400 ? undefined : `status ${status}`))
      response.resume()
    })
    sending.end()
  })
}
