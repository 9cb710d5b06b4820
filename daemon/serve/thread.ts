import { parentPort, receiveMessageOnPort } from 'node:worker_threads'
import { systemClock } from '../../core/clock.ts'
import { threadData } from '../../core/early-thread.ts'
import { makeQuiet } from '../../core/quiet.ts'
import { messageOf } from '../../core/trouble.ts'
import { makeHandover, type Reply } from './lane.ts'
import { loadSystem } from './system.ts'
import { OUT_SIZE } from './tcp-client.ts'
import { openCarrier } from './tcp-carrier.ts'
import type { Carrier } from './tcp-connection.ts'
import { openTcp } from './tcp-server.ts'
import { BEAT, FAULTS, type FromThread, type Listener, type Responder, type ResponderModule, type ThreadData, type ToThread } from './types.ts'
import { openDgram } from './udp-dgram.ts'
import { runUdpLoop, type Loop } from './udp-native.ts'

// The entry of every serving thread: opens its responder, then serves UDP (natively or through dgram) or TCP until told to stop.

const port = parentPort!
const data = await threadData<ThreadData>()
const say = (message: FromThread): void => port.postMessage(message)
/** Within this, what a TCP connection has under way is finished. */
const TCP_CLOSE_MS = 300

const { openResponder } = (await import(data.responder.module)) as ResponderModule
const responder = guard(openResponder(data.responder.data, data.world, {
  trouble: makeQuiet((reason) => say({ kind: 'trouble', reason }), systemClock),
  notice: makeQuiet((text) => say({ kind: 'notice', text }), systemClock)
}))
// It is large, and its memory is to be given back once another is in use.
delete (data as { world?: unknown }).world

let onReply: (reply: Reply) => void = () => undefined
let onLost: () => void = () => undefined
const handover = makeHandover(() => systemClock.elapsed(), (reply) => onReply(reply))
handover.use(data.lane)

try {
  if (data.kind === 'native') await serveNative(responder)
  else await serveEvents(responder)
} catch (error) {
  const { code = '', listener = data.listeners[0]! } = error as { code?: string; listener?: Listener }
  say({ kind: 'refused', code, listener, reason: messageOf(error) })
  port.close()
}

/** A responder does not throw. Should one do so all the same, that query alone goes without an answer. */
function guard(inner: Responder): Responder {
  const failed = makeQuiet((reason) => say({ kind: 'trouble', reason }), systemClock)
  return {
    use: (world) => inner.use(world),
    tick: (now) => inner.tick?.(now),
    ...(inner.expect !== undefined && { expect: inner.expect }),
    decline: () => inner.decline(),
    answer: (query, start, length, source, transport, out, outStart, outSize) => {
      try {
        return inner.answer(query, start, length, source, transport, out, outStart, outSize)
      } catch (error) {
        data.traffic[FAULTS]!++
        failed(`an answer failed: ${error instanceof Error ? error.stack : String(error)}`)
        return 0
      }
    }
  }
}

/** Takes what the main thread has said. True when it said to stop. */
function obey(message: ToThread): boolean {
  if (message.kind === 'stop') return true
  if (message.kind === 'lane') {
    handover.use(message.lane)
    onLost()
    return false
  }
  responder.use(message.world)
  say({ kind: 'using', number: message.number })
  return false
}

async function serveNative(responder: Responder): Promise<void> {
  const system = await loadSystem()
  if (typeof system === 'string') throw new Error(system)
  let seen = 0
  const loop: Loop = {
    system,
    listeners: data.listeners,
    traffic: data.traffic,
    responder,
    handover,
    gathers: data.gathers,
    isOver: false,
    attend: () => {
      const now = systemClock.now()
      responder.tick?.(now)
      const said = Atomics.load(data.control, 0)
      if (said === seen) return now
      seen = said
      for (let item = receiveMessageOnPort(port); item !== undefined; item = receiveMessageOnPort(port)) {
        if (obey(item.message as ToThread)) loop.isOver = true
      }
      return now
    },
    trouble: makeQuiet((reason) => say({ kind: 'trouble', reason }), systemClock)
  }
  say({ kind: 'ready' })
  say({ kind: 'using', number: data.worldNumber })
  runUdpLoop(loop)
}

/** For the threads that live in an event loop: `dgram`, `tcp` and, with a loop of its own beside it, `tcp native`. */
async function serveEvents(responder: Responder): Promise<void> {
  const { listeners, traffic, tcp } = data
  const beat = setInterval(() => traffic[BEAT]!++, 100)
  let close: () => Promise<void>
  if (data.kind === 'tcp' || data.kind === 'tcp native') {
    const server = await openTcp(listeners, { carrier: await carry(), responder, handover, limits: tcp, traffic, elapsed: () => systemClock.elapsed(), notice: makeQuiet((text) => say({ kind: 'notice', text }), systemClock) })
    onReply = server.reply
    onLost = server.lose
    close = () => server.close(TCP_CLOSE_MS)
  } else {
    const dgram = await openDgram(listeners, { responder, handover, traffic, clock: systemClock })
    onReply = dgram.reply
    close = async () => dgram.close()
  }
  port.on('message', (message: ToThread) => {
    if (!obey(message)) return
    clearInterval(beat)
    void close().then(() => port.close())
  })
  say({ kind: 'ready' })
  say({ kind: 'using', number: data.worldNumber })
}

async function carry(): Promise<Carrier> {
  const system = data.kind === 'tcp' ? undefined : await loadSystem()
  if (typeof system === 'string') throw new Error(system)
  return openCarrier(system, { outSize: OUT_SIZE, held: data.held, gathers: data.gathers, elapsed: () => systemClock.elapsed() }, (text) => say({ kind: 'notice', text }))
}
