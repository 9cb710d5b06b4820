import { connect, type Socket } from 'node:net'
import type { After } from '../../core/clock.ts'

// BIRD's control socket: text, with a code of four digits. `NNNN-text` goes on, ` text` repeats the code before, `NNNN text` ends a
// reply; a line that begins with `+` belongs to none and may come at any time. BIRD 2 and 3 speak alike.

/** What was said to one command: the code that ended it, and every line with its own code. */
export interface BirdReply {
  readonly code: number
  /** Of the last line. */
  readonly text: string
  readonly lines: readonly { readonly code: number; readonly text: string }[]
}

/** Codes of replies. */
export const CODE = { ok: 0, welcome: 1, reconfigured: 3, reconfiguring: 4, undone: 5, shutdown: 7, unchanged: 19, configOk: 20, undo: 21, undoing: 22, route: 1007, protocol: 1002, protocolDetail: 1006, attributes: 1008, notFound: 8001, badConfig: 8002, busy: 8003, denied: 8007, syntax: 9001 } as const

/** What a reply may amount to before BIRD, or whoever answers in its place, is given up. */
const MOST_OCTETS = 4 * 1024 * 1024

/** Trouble with BIRD, in one line. */
export class BirdTrouble extends Error {}

export interface Bird {
  /** `BIRD 2.0.12 ready.` */
  readonly greeting: string
  /** Rejects with BirdTrouble when no whole reply has come in time; the connection is of no use then. */
  ask(command: string): Promise<BirdReply>
  close(): void
}

interface Waiting {
  resolve(reply: BirdReply): void
  reject(trouble: BirdTrouble): void
  readonly cancel: () => void
}

/** Takes replies out of what comes in, in whatever pieces. */
export class ReplyReader {
  #rest = ''
  #size = 0
  #lines: { code: number; text: string }[] = []

  /** @returns replies that are whole now, or what is wrong with what came in */
  take(piece: string): BirdReply[] | string {
    this.#rest += piece
    this.#size += piece.length
    if (this.#size > MOST_OCTETS) return 'answers without end'
    const replies: BirdReply[] = []
    let end: number
    while ((end = this.#rest.indexOf('\n')) >= 0) {
      const line = this.#rest.slice(0, end).replace(/\r$/, '')
      this.#rest = this.#rest.slice(end + 1)
      const trouble = this.#line(line, replies)
      if (trouble !== undefined) return trouble
    }
    return replies
  }

  #line(line: string, replies: BirdReply[]): string | undefined {
    if (line.startsWith('+')) return undefined
    const last = this.#lines.at(-1)
    if (line.startsWith(' ') || line === '') {
      if (last === undefined) return 'does not speak like BIRD'
      this.#lines.push({ code: last.code, text: line.slice(1) })
      return undefined
    }
    const match = /^(\d{4})([- ])(.*)$/.exec(line) ?? /^(\d{4})()()$/.exec(line)
    if (match === null) return 'does not speak like BIRD'
    const [, code, mark, text] = match as unknown as [string, string, string, string]
    this.#lines.push({ code: Number(code), text })
    if (mark === '-') return undefined
    replies.push({ code: Number(code), text, lines: this.#lines })
    this.#lines = []
    this.#size = this.#rest.length
    return undefined
  }
}

export interface BirdOptions {
  readonly socket: string
  /** For connecting and for each command. */
  readonly timeoutMs: number
  readonly after: After
}

/** Connects. Rejects with BirdTrouble. With `isReader` nothing can be changed over the connection. */
export async function openBird(options: BirdOptions, isReader: boolean): Promise<Bird> {
  const { socket: path, timeoutMs, after } = options
  const reader = new ReplyReader()
  let waiting: Waiting | undefined
  let broken: BirdTrouble | undefined
  const socket: Socket = connect({ path })
  const fail = (why: string): void => {
    broken ??= new BirdTrouble(why)
    waiting?.cancel()
    waiting?.reject(broken)
    waiting = undefined
    socket.destroy()
  }
  socket.setEncoding('utf8')
  socket.on('error', (error: NodeJS.ErrnoException) => fail(whyNoBird(error, path)))
  socket.on('close', () => fail('BIRD closed its control socket'))
  socket.on('data', (piece: string) => {
    const replies = reader.take(piece)
    if (typeof replies === 'string') return fail(`what listens on ${path} ${replies}`)
    for (const reply of replies) {
      // A reply that nobody waits for would be taken for that of the next command.
      if (waiting === undefined) return fail(`what listens on ${path} answers unasked`)
      waiting.cancel()
      waiting.resolve(reply)
      waiting = undefined
    }
  })
  const next = (what: string): Promise<BirdReply> =>
    new Promise((resolve, reject) => {
      if (broken !== undefined) return reject(broken)
      if (waiting !== undefined) return reject(new BirdTrouble('BIRD was asked twice at once'))
      waiting = { resolve, reject, cancel: after(timeoutMs, () => fail(`BIRD has not answered ${what} for ${timeoutMs} ms`)) }
    })
  const ask = (command: string): Promise<BirdReply> => {
    const reply = next(`"${command}"`)
    if (broken === undefined) socket.write(`${command}\n`)
    return reply
  }
  const greeting = await next('with its greeting')
  if (greeting.code !== CODE.welcome) fail(`what listens on ${path} greets with ${greeting.code}, not as BIRD does`)
  if (isReader) await ask('restrict')
  return { greeting: greeting.text, ask, close: () => socket.destroy() }
}

function whyNoBird({ code, message }: NodeJS.ErrnoException, path: string): string {
  switch (code) {
    case 'ENOENT':
      return `BIRD is not running: there is no ${path}`
    case 'ECONNREFUSED':
      return `BIRD is not running: nobody listens on ${path}`
    case 'EACCES':
      return `${path} is closed to this user, who has to be in the group of BIRD (usually bird)`
    default:
      return `${path}: ${message}`
  }
}
