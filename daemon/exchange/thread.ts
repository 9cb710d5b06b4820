import { parentPort } from 'node:worker_threads'
import { formatAddress } from '../../core/address.ts'
import { systemClock } from '../../core/clock.ts'
import { threadData } from '../../core/early-thread.ts'
import { makeQuiet } from '../../core/quiet.ts'
import { messageOf } from '../../core/trouble.ts'
import { makeAnswerer } from '../answer.ts'
import { makeReclaimer } from '../reclaim.ts'
import { loadSystem, makeSender } from '../serve/index.ts'
import { nameToText } from '../wire/index.ts'
import { openWorld, type WorldImage } from '../world.ts'
import type { ZoneStep } from '../zone/index.ts'
import { makeLoaderClient } from './ask-loader.ts'
import type { Context } from './context.ts'
import { replies } from './dispatch.ts'
import { startDuties } from './duties.ts'
import type { ExchangeData, FromThread, ToThread } from './exchange.ts'
import { makeFactBook } from './facts.ts'
import { makeHistory } from './history.ts'
import { attachLane } from './lanes.ts'
import { makePlaceBook } from './places.ts'
import { withKeys, type Rules } from './rules.ts'
import { makeSlots } from './slots.ts'
import { makeUpdates } from './update.ts'

// The entry of the exchange thread: takes what serving threads hand over, and answers it at its own pace.

/** Octets of what is kept of the changes of zones, for incremental transfers. */
const HISTORY_OCTETS = 32 << 20

/** Transfers at once, each of which holds a message or two; and of those that wait, a connection each. */
const TRANSFERS = { atOnce: 32, atOnceOfClient: 8, waiting: 256, waitingOfClient: 64 }

const port = parentPort!
const data = await threadData<ExchangeData>()
const { rules: plan, number, hello, steps, stateFolder, world: first } = data
const say = (message: FromThread): void => port.postMessage(message)
const log: Context['log'] = (level, text) => say({ kind: 'log', level, text })

let world = openWorld(first)
let rules = rulesFor(first)
delete (data as { world?: unknown }).world
const { serverId, version } = hello
const identity = { ...(serverId !== undefined && { serverId }), ...(version !== undefined && { version }) }
const answerer = makeAnswerer({ world, preparedSize: 1 << 18, ...identity, onError: (error, question) => log('error', `${question} was answered SERVFAIL: ${messageOf(error)}`) })
const reclaim = makeReclaimer()
reclaim(first.zones)
const out = new Uint8Array(65535)

const history = makeHistory(HISTORY_OCTETS)
const facts = makeFactBook()
const placeOf = makePlaceBook()
const note = (all: readonly ZoneStep[]): void => {
  // The history may ask for facts, which are counted in the world that all of these steps have led to.
  for (const step of all) facts.note(step)
  for (const step of all) history.note(step)
}
note(steps)
const { loader, told } = makeLoaderClient((id, asked, handedOver) => port.postMessage({ kind: 'ask', id, ...asked } satisfies FromThread, handedOver))

const duties = startDuties({ rules, keys: () => rules.keys, loader, stateFolder, world: () => world, log, onStatus: (status) => say({ kind: 'secondary', status }) })

const context: Context = {
  get rules() {
    return rules
  },
  history,
  facts,
  slots: makeSlots(TRANSFERS),
  placeOf: (request, of) => placeOf(request, of, context),
  loader,
  clock: systemClock,
  world: () => world,
  answer: ({ message, source, transport, limit }) => {
    const size = answerer.answer(message, 0, message.length, { ...source, at: 0 }, transport, out, 0, limit)
    return size <= 0 ? undefined : out.slice(0, size)
  },
  updates: makeUpdates(),
  log,
  refused: makeQuiet((text) => log('info', text), systemClock),
  refusedUpdate: makeQuiet((text) => log('info', text), systemClock),
  sourceText: ({ bytes }) => formatAddress(bytes),
  keyText: nameToText,
  notified: duties.notified
}

function rulesFor({ tsig }: WorldImage): Rules {
  return tsig === undefined ? plan : withKeys(plan, tsig)
}

const system = await loadSystem()
const send = typeof system === 'string' ? undefined : makeSender(system)

port.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'lane':
      attachLane(message.port, message.waiting, (handed) => replies(handed, context), send, (error) => log('error', `an answer of the exchange failed: ${error instanceof Error ? error.stack : messageOf(error)}`))
      return
    case 'world':
      world = openWorld(message.world)
      rules = rulesFor(message.world)
      // Policies have changed: what is steered may be other records now, and no step tells.
      if (message.isRerouted) history.doubt((zone, origin) => facts.of(zone, origin, world).routed > 0)
      note(message.steps)
      answerer.use(world)
      reclaim(message.world.zones)
      say({ kind: 'using', number: message.number })
      duties.use(message.steps)
      return
    case 'begin':
      duties.begin()
      return
    case 'refresh':
      duties.refresh(message.zone, message.isWhole)
      return
    case 'told':
      told(message.id, message.reply)
      return
    case 'stop':
      port.close()
  }
})
say({ kind: 'using', number })
