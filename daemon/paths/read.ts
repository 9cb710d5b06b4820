import { connect } from 'node:net'
import type { After, Clock } from '../../core/clock.ts'
import { makeListing } from './listing.ts'
import type { Piece } from './routes.ts'
import { makeTableBuilder, type PathTables } from './table.ts'

/** What was read of BIRD, and what that took. */
export interface ReadPaths {
  readonly tables: PathTables
  readonly v4: number
  readonly v6: number
  /** Routes that were left out because there are too many. */
  readonly left: number
  readonly tookMs: number
}

export interface ReadOptions {
  /** BIRD's control socket. */
  readonly socket: string
  /** What is listed: `table master4` and so on. */
  readonly of: readonly string[]
  /** BIRD may be silent so long. */
  readonly patienceMs: number
  /** Memory of a table that is no longer used; what is needed of it is taken. */
  readonly spare?: Piece[]
  readonly clock: Clock
  readonly after: After
}

/** Octets of one read. */
const PIECE = 256 * 1024

/** Reads all that BIRD has a path to. Rejects with one line when that is not to be had. */
export function readPaths({ socket: path, of, patienceMs, spare, clock, after }: ReadOptions): Promise<ReadPaths> {
  return new Promise((resolve, reject) => {
    const from = clock.elapsed()
    const table = makeTableBuilder(spare)
    const count = { v4: 0, v6: 0 }
    const listing = makeListing((route) => {
      count[route.family === 4 ? 'v4' : 'v6']++
      table.add(route)
    })
    // On this connection nothing can be changed from the first command on.
    const commands = ['restrict', ...of.map((what) => `show route primary all ${what}`)]
    let asked = -1
    let cancel = (): void => undefined
    let isOver = false
    const end = (failure?: string): void => {
      // The close of the connection that follows is no failure any more.
      if (isOver) return
      isOver = true
      cancel()
      socket.destroy()
      if (failure !== undefined) {
        table.drop()
        return reject(new Error(failure))
      }
      const tables = table.finish()
      resolve({ tables, v4: tables.v4.count, v6: tables.v6.count, left: table.left, tookMs: clock.elapsed() - from })
    }
    const wait = (): void => {
      cancel()
      cancel = after(patienceMs, () => end(`BIRD has said nothing for ${patienceMs / 1000} s (${path})`))
    }
    const answered = (said: string): void => {
      // 0001 greets, 0016 is that of `restrict`; 8 and 9 are failures.
      if (!/^0\d{3}\b/.test(said)) return end(/^[89]\d{3}\b/.test(said) ? `BIRD refuses "${commands[asked] ?? 'the connection'}": ${said}` : `what listens on ${path} does not speak like BIRD`)
      asked++
      if (asked === commands.length) return end()
      socket.write(`${commands[asked]!}\n`)
    }
    const take = (octets: Uint8Array): void => {
      wait()
      const said = listing.take(octets)
      if (said !== undefined) answered(said)
    }
    const buffer = new Uint8Array(PIECE)
    const socket = connect({
      path,
      onread: {
        buffer,
        callback: (size) => {
          take(buffer.subarray(0, size))
          return true
        }
      }
    })
    socket.on('error', (error: NodeJS.ErrnoException) => end(whyNot(error, path)))
    socket.on('close', () => end(`BIRD closed its control socket (${path})`))
    wait()
  })
}

function whyNot({ code, message }: NodeJS.ErrnoException, path: string): string {
  if (code === 'ENOENT') return `there is no ${path}: BIRD does not run, or paths.socket is another`
  if (code === 'ECONNREFUSED') return `nobody listens on ${path}: BIRD does not run`
  return code === 'EACCES' ? `${path} is closed to this user: the group of BIRD (usually bird) may use it` : `${path}: ${message}`
}
