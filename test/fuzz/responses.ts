import { systemClock } from '../../core/clock.ts'
import type { RunningWorker } from '../../edge/index.ts'
import { connectClient, type Reply } from '../edge/client.ts'
import { configOf, startMember } from '../edge/workers.ts'
import type { Random } from '../helpers/random.ts'
import { Broken } from './broken.ts'
import { readResponses } from './corpus.ts'
import { mutateMessage } from './mutate.ts'
import { freePort, startRawOrigin, type RawOrigin, type Script } from './raw-origin.ts'
import type { Subject } from './subject.ts'

/** However busy the machine is: an answer that takes longer than this does not come. */
const PATIENCE_MS = 30_000
/** How long the origin may be silent; what is cut short on a connection that stays open costs this. */
const SILENT = '50ms'
/** Viewers who ask at the same time. */
const AT_ONCE = 16

interface Stage {
  /** Each asked by one viewer at a time: what is said while nothing was asked cannot be told from an answer once something is. */
  readonly origins: readonly RawOrigin[]
  readonly edge: RunningWorker
  readonly port: number
}

async function open(clock: { elapsed(): number; now(): number }): Promise<Stage> {
  const origins = await Promise.all(Array.from({ length: AT_ONCE }, () => startRawOrigin()))
  const config = configOf({
    edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126] } },
    cache: { memory: '4MiB', 'largest-object': '64KiB' },
    origins: Object.fromEntries(origins.map(({ port }, at) => [`o${at}`, { url: `http://127.0.0.1:${port}`, 'response-timeout': SILENT, attempts: 1 }])),
    distributions: { d1: { aliases: ['site.nearcast.test'], behaviours: origins.map((_, at) => ({ path: `/${at}/*`, origin: `o${at}`, compress: true })) } }
  })
  const port = await freePort()
  return { origins, port, edge: await startMember({ role: 'edge', name: 'icn', config, port, clock }) }
}

/** Feeds an edge changed answers of its origin: each viewer gets an answer or a connection that is cut, and nothing that was said to another. */
export function responseSubject(): Subject {
  const corpus = readResponses().map(({ text }) => text)
  const issued = new Set<string>()
  // Time flies, so that an origin which failed is asked again; connections are new each time, lest they grow idle.
  let ahead = 0
  const clock = { now: systemClock.now, elapsed: () => systemClock.elapsed() + ahead }
  let stage: Promise<Stage> | undefined
  return {
    name: 'responses',
    async feed(random) {
      const { origins, port } = await (stage ??= open(clock))
      ahead += 20_000
      const plans = origins.map((origin, at) => ({ origin, ...planOf(random, corpus, at) }))
      await Promise.all(plans.map(async ({ origin, id, path, script, request, times }) => {
        issued.add(id)
        origin.scripts.set(path, script)
        const shown = JSON.stringify({ request, ...script })
        for (let left = times; left > 0; left--) {
          const { reply, raw } = await asked(port, request, shown)
          if (!reply.broken && !(reply.status >= 200 && reply.status <= 599)) throw new Broken(`the viewer gets the status ${reply.status}`, shown)
          for (const [found] of raw.matchAll(/\d{10}/g)) if (found !== id && issued.has(found)) throw new Broken(`the viewer gets what was said to ${found}`, shown)
          await origin.silent()
        }
        origin.scripts.delete(path)
      }))
    },
    async close() {
      const { origins, edge } = (await stage) ?? {}
      await edge?.close(0)
      for (const origin of origins ?? []) await origin.close()
    }
  }
}

interface Plan {
  readonly id: string
  readonly path: string
  readonly script: Script
  readonly request: string
  /** It may be answered from what is held the second time. */
  readonly times: number
}

function planOf(random: Random, corpus: readonly string[], lane: number): Plan {
  const id = String(1_000_000_000 + random.below(2 ** 31))
  const path = `/${lane}/${id}`
  return { id, path, script: scriptOf(random, corpus, id), request: requestOf(random, path), times: random.pick([1, 1, 2]) }
}

function scriptOf(random: Random, corpus: readonly string[], id: string): Script {
  const text = (random.percent(80) ? mutateMessage(random, corpus) : random.pick(corpus)).replaceAll('{id}', id)
  const unasked = random.percent(20) ? random.pick(corpus).replaceAll('{id}', id) : undefined
  return { pieces: cut(random, text), after: random.pick(['keep', 'end', 'end', 'end', 'reset']), unasked }
}

/** Whole, octet by octet, or in a few pieces. */
function cut(random: Random, text: string): string[] {
  const how = random.below(4)
  if (how === 0) return [text]
  if (how === 1 && text.length < 500) return [...text]
  const places = [0, random.below(text.length + 1), random.below(text.length + 1), random.below(text.length + 1), text.length].sort((a, b) => a - b)
  return places.slice(1).map((place, at) => text.slice(places[at], place)).filter((piece) => piece !== '')
}

function requestOf(random: Random, path: string): string {
  const method = random.pick(['GET', 'GET', 'GET', 'GET', 'HEAD', 'POST', 'OPTIONS'])
  const fields = ['Host: site.nearcast.test', 'Connection: close']
  if (method === 'POST') fields.push('Content-Length: 0')
  if (random.percent(30)) fields.push(random.pick(['Range: bytes=2-11', 'Range: bytes=-4', 'Range: bytes=0-', 'If-None-Match: "a"', 'Accept-Encoding: gzip', 'Cache-Control: only-if-cached', 'TE: trailers']))
  return `${method} ${path} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`
}

/** What a viewer gets, and all that it was sent as it came. */
async function asked(port: number, request: string, shown: string): Promise<{ reply: Reply; raw: string }> {
  const client = await connectClient('127.0.0.1', port)
  let raw = ''
  client.socket.on('data', (text: string) => (raw += text))
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Broken('the viewer gets no answer', shown)), PATIENCE_MS)))
  try {
    client.send(request)
    const answer = async (): Promise<Reply> => {
      for (;;) {
        const reply = await client.reply(request.startsWith('HEAD'))
        if (reply.broken || reply.status >= 200) return reply
      }
    }
    return { reply: await Promise.race([answer(), late]), raw }
  } finally {
    clearTimeout(timer)
    client.close()
  }
}
