import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { makeManualClock, type ManualClock } from '../helpers/manual-clock.ts'
import { connectClient, type Client, type Reply } from './client.ts'
import { startOrigin, type Answer, type Origin } from './origin.ts'
import { configOf, connectedClock, startMember } from './workers.ts'

// Plays test/cases/edge/*.case: each against an edge of its own, with a scripted origin and a clock that is turned by hand.
// The language is described in test/cases/edge/README.

const folder = fileURLToPath(new URL('../../../test/cases/edge/', import.meta.url))

interface Step {
  readonly line: number
  readonly words: readonly string[]
  readonly lines: readonly string[]
}

/** A line that is not indented begins a step; indented ones belong to it. */
function readSteps(text: string): Step[] {
  const steps: { line: number; words: string[]; lines: string[] }[] = []
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    if (line.startsWith('  ')) steps.at(-1)!.lines.push(line.slice(2))
    else steps.push({ line: at + 1, words: line.trim().split(/\s+/), lines: [] })
  }
  return steps
}

/** `a, b` and `x*1000`, in which x stands 1000 times. */
const expand = (text: string): string => text.replace(/^(.)\*(\d+)$/, (_, char: string, count: string) => char.repeat(Number(count)))

function readAnswer(lines: readonly string[]): Answer {
  let status = 200
  let body = ''
  let etag: string | undefined
  let chunked = false
  let breakAfter: number | undefined
  const fields: [string, string][] = []
  for (const line of lines) {
    const [word, rest = ''] = line.split(/ (.*)/)
    if (/^\d{3}$/.test(line)) status = Number(line)
    else if (word === 'body') body = expand(rest)
    else if (word === 'chunked') chunked = true
    else if (word === 'break') breakAfter = Number(rest)
    else fields.push([word!.replace(/:$/, ''), rest])
    if (word === 'ETag:') etag = rest
  }
  return { status, fields, body, etag, chunked, breakAfter }
}

interface Play {
  readonly t: Test
  readonly origin: Origin
  readonly time: ManualClock
  readonly port: number
  client: Client | undefined
  reply: Reply | undefined
}

/** Sends a request: as it stands after `raw`, else a request line with Host and what else is given. */
async function ask(play: Play, step: Step): Promise<void> {
  const [, method, target] = step.words
  play.client ??= await connectClient('127.0.0.1', play.port)
  if (method === 'raw') {
    play.client.send(step.lines.map((line) => line.replaceAll('\\r', '\r').replaceAll('\\n', '\n').replaceAll('\\t', '\t')).join(''))
    play.reply = await play.client.reply()
    return
  }
  const own = step.lines.some((line) => /^host:/i.test(line)) ? [] : ['Host: site.nearcast.test']
  const content = step.lines.find((line) => line.startsWith('body '))?.slice(5)
  const fields = [...own, ...step.lines.filter((line) => !line.startsWith('body ')), ...(content === undefined ? [] : [`Content-Length: ${expand(content).length}`])]
  play.client.send(`${method} ${target} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n${expand(content ?? '')}`)
  play.reply = await play.client.reply(method === 'HEAD')
}

function expectReply({ t, client, reply }: Play, line: string, where: string): void | Promise<void> {
  if (reply === undefined) return void t.fail(`${where}: nothing was asked`)
  const [word, rest = ''] = line.split(/ (.*)/)
  if (/^\d{3}$/.test(line)) return void t.equal(reply.status, Number(line), where)
  if (word === 'body') return void t.equal(reply.body, expand(rest).replaceAll('\\n', '\n'), where)
  if (word === 'broken') return void t.ok(reply.broken, where)
  if (word === 'closed') return client!.ended
  if (word === 'no') return void t.equal(reply.fields.get(rest.toLowerCase()), undefined, where)
  return void t.equal(reply.fields.get(word!.replace(/:$/, '').toLowerCase()), rest, where)
}

async function play(play: Play, step: Step, where: string): Promise<void> {
  const { t, origin, time } = play
  const [verb, argument, ...more] = step.words
  switch (verb) {
    case 'origin':
      if (argument !== 'saw') return void origin.answers.set(argument!, readAnswer(step.lines))
      if (more.length > 0) t.equal(origin.asked.length, Number(more[0]), `${where}: requests at the origin`)
      for (const line of step.lines) {
        if (line.startsWith('body')) {
          t.equal(origin.contents.at(-1), expand(line.slice(5)), `${where}: ${line}`)
          continue
        }
        if (/^[A-Z-]+$/.test(line)) {
          t.equal(origin.asked.at(-1)?.method, line, `${where}: ${line}`)
          continue
        }
        const [name, value] = line.split(/: ?(.*)/)
        const got = origin.asked.at(-1)?.headers[(name!.startsWith('no ') ? name!.slice(3) : name!).toLowerCase()]
        t.equal(got, name!.startsWith('no ') ? undefined : value, `${where}: ${line}`)
      }
      return
    case 'clock':
      return time.turn(Number(/^\+(\d+)s$/.exec(argument!)![1]) * 1000)
    case 'client':
      return ask(play, step)
    case 'settle':
      // In steps, so that sockets are read between, whatever holds this process up.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 5))
      return
    case 'reconnect':
      play.client?.close()
      play.client = undefined
      return
    case 'expect':
      for (const line of step.lines) await expectReply(play, line, `${where}: ${line}`)
      return
    default:
      t.fail(`${where}: ${verb} is no step`)
  }
}

for (const file of readdirSync(folder).filter((name) => name.endsWith('.case')).sort()) {
  const text = readFileSync(join(folder, file), 'utf8')
  t.test(`${file}: ${text.slice(2, text.indexOf('\n'))}`, async (t) => {
    const steps = readSteps(text)
    const settings = steps.filter(({ words }) => words[0] === 'set').map(({ words }) => [words[1]!, words[2]!])
    const origin = await startOrigin()
    const time = makeManualClock(Date.UTC(2026, 0, 1))
    const of = (name: string): Record<string, string> => Object.fromEntries(settings.filter(([key]) => key === name))
    const { behaviours, distribution, ...keys } = (parse(steps.find(({ words }) => words[0] === 'config')?.lines.join('\n') ?? '{}') ?? {}) as Record<string, unknown>
    const config = configOf({
      edges: { icn: { address: '127.0.0.1', city: 'Seoul', at: [37, 126] } },
      origins: { main: { url: `http://127.0.0.1:${origin.port}` } },
      cache: { ...of('memory'), ...of('largest-object') },
      distributions: { site: { aliases: ['www.example.test'], ...(distribution as object | undefined), behaviours: behaviours ?? [{ path: '/*', origin: 'main', ...of('default-ttl'), ...of('stale-if-error') }] } },
      ...keys
    })
    const worker = await startMember({ role: 'edge', name: 'icn', config, port: 0, clock: connectedClock(time) })
    const state: Play = { t, origin, time, port: Number(worker.listening[0]!.split(':').at(-1)), client: undefined, reply: undefined }
    t.teardown(async () => {
      state.client?.close()
      await worker.close(0)
      await origin.close()
    })
    for (const step of steps) if (step.words[0] !== 'set' && step.words[0] !== 'config') await play(state, step, `${file}:${step.line}`)
  })
}
