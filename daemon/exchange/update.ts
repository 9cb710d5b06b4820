import { formatFault } from '../../core/trouble.ts'
import { CLASS, RCODE } from '../wire/index.ts'
import { changeOf, compileRules, judgeBatch, parseUpdate, viewOfImage, type Judgement, type Rules, type Touched, type UpdateMessage } from '../update/index.ts'
import type { Context, Updates } from './context.ts'
import { refusal, type Request } from './request.ts'
import { makeSeen } from './update-seen.ts'

// Dynamic update (RFC 2136): one zone's updates are judged one behind the other; those that came while the last ones were being
// written make one write together, and each is answered when that is on the disk and in service.

interface Waiting {
  readonly request: Request
  readonly message: UpdateMessage
  settle(judgement: Pick<Judgement, 'rcode' | 'reason'>): void
}

interface Queue {
  readonly waiting: Waiting[]
  isBusy: boolean
}

/** Updates that wait at once: of one key, and of all. */
const MOST_OF_KEY = 100
const MOST = 1000
/** Updates that make one write. */
const MOST_AT_ONCE = 64
/** A zone that changes under the hands of an update is looked at again so often. */
const MOST_TRIES = 5

export function makeUpdates(): Updates {
  const queues = new Map<string, Queue>()
  const rules = new Map<string, Rules>()
  const byKey = new Map<string, number>()
  const seen = makeSeen()
  let waiting = 0
  const rulesOf = (request: Request, context: Context): Rules => {
    const known = rules.get(request.zone) ?? compileRules(request.name, context.rules.zones.get(request.zone)?.update ?? [])
    rules.set(request.zone, known)
    return known
  }
  const enqueue = async (request: Request, message: UpdateMessage, context: Context): Promise<number> => {
    const key = request.keyName!
    const ofKey = byKey.get(key) ?? 0
    if (waiting >= MOST || ofKey >= MOST_OF_KEY) {
      tell(context, request, RCODE.SERVFAIL, `${ofKey} updates of the key wait already`)
      return RCODE.SERVFAIL
    }
    waiting++
    byKey.set(key, ofKey + 1)
    const queue = queues.get(request.zone) ?? { waiting: [], isBusy: false }
    queues.set(request.zone, queue)
    const { rcode, reason } = await new Promise<Pick<Judgement, 'rcode' | 'reason'>>((settle) => {
      queue.waiting.push({ request, message, settle })
      if (!queue.isBusy) void drain(queue, rulesOf(request, context), context)
    })
    waiting--
    const left = byKey.get(key)! - 1
    if (left === 0) byKey.delete(key)
    else byKey.set(key, left)
    if (reason !== undefined) tell(context, request, rcode, reason)
    return rcode
  }
  return {
    serve: async (request, context) => {
      const refused = refusedAtOnce(request, context)
      if (refused !== undefined) {
        tell(context, request, refused.rcode, refused.reason!)
        return refusal(request, refused.rcode)
      }
      const message = parseUpdate(request.message)
      if ('rcode' in message) {
        tell(context, request, message.rcode, message.reason)
        return refusal(request, message.rcode)
      }
      // The same octets again are a datagram sent twice, or a replay: they get the answer of the first.
      return refusal(request, await seen.once(request.mac!, context.clock.now(), () => enqueue(request, message, context)))
    }
  }
}

/** What can be said before the message is looked into. */
function refusedAtOnce({ zone, name, class: kind, keyName }: Request, { rules, world }: Context): Pick<Judgement, 'rcode' | 'reason'> | undefined {
  const ofZone = rules.zones.get(zone)
  if (kind !== CLASS.IN) return { rcode: RCODE.NOTAUTH, reason: `class ${kind}` }
  if (ofZone?.primaries !== undefined) return { rcode: RCODE.REFUSED, reason: 'a secondary zone changes at its primaries, and nothing is passed on to them' }
  if (viewOfImage(world().zones, name) === undefined) return { rcode: RCODE.NOTAUTH, reason: 'there is no such zone' }
  if (keyName === undefined) return { rcode: RCODE.REFUSED, reason: 'it is not signed' }
  if (ofZone?.update.some(({ key }) => key === keyName) !== true) return { rcode: RCODE.REFUSED, reason: 'the key may not change the zone' }
  return undefined
}

async function drain(queue: Queue, rules: Rules, context: Context): Promise<void> {
  queue.isBusy = true
  while (queue.waiting.length > 0) await take(queue.waiting.splice(0, MOST_AT_ONCE), rules, context)
  queue.isBusy = false
}

/** Judges some updates and makes what comes of them one change; none of them is left without an answer. */
async function take(batch: readonly Waiting[], rules: Rules, context: Context): Promise<void> {
  const { zone, name } = batch[0]!.request
  const settleAll = (rcode: number, reason: string): void => {
    for (const { settle } of batch) settle({ rcode, reason })
  }
  try {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const view = viewOfImage(context.world().zones, name)
      if (view === undefined) return settleAll(RCODE.NOTAUTH, 'there is no such zone any more')
      const { judgements, touched } = judgeBatch(view, rules, batch.map(({ request, message }) => ({ key: request.keyName!, message })))
      const reply = touched.length === 0 ? undefined : await context.loader.change(changeOf(view.origin, touched), 'update')
      if (reply === undefined || reply.outcome === 'done') {
        for (const [index, judgement] of judgements.entries()) {
          if (judgement.touched.length > 0) context.log('info', `update of ${zone} by ${who(batch[index]!.request, context)}: ${summary(judgement.touched)}`)
          batch[index]!.settle(judgement)
        }
        return
      }
      // The file was edited meanwhile, and this world is that of before: the next one is here by now.
      if (reply.outcome === 'stale') continue
      if (reply.isTrouble === true) return settleAll(RCODE.SERVFAIL, reply.faults.map(formatFault).join('; '))
      if (batch.length === 1) return settleAll(RCODE.REFUSED, reply.faults.map(formatFault).join('; '))
      // One of them is at fault: each by itself.
      for (const each of batch) await take([each], rules, context)
      return
    }
    settleAll(RCODE.SERVFAIL, 'the zone changes faster than it can be updated')
  } catch (error) {
    context.log('error', `an update of ${zone} failed: ${error instanceof Error ? error.stack : String(error)}`)
    settleAll(RCODE.SERVFAIL, 'this failed inside the daemon')
  }
}

function summary(touched: readonly Touched[]): string {
  const { added, deleted, to } = changeOf(touched[0]!.owner, touched)
  const count = (records: readonly unknown[]): number => Math.max(0, records.length - 1)
  return `${count(added)} added, ${count(deleted)} deleted, serial ${to}`
}

const who = ({ keyName, source }: Request, context: Context): string => `${keyName === undefined ? 'nobody' : `key ${keyName}`} from ${context.sourceText(source)}`

const NAMES: Readonly<Record<number, string>> = Object.fromEntries(Object.entries(RCODE).map(([name, number]) => [number, name]))

/** What the server itself could not do is told each time; what somebody sends that is not taken they can send as often as they like. */
function tell(context: Context, request: Request, rcode: number, reason: string): void {
  const line = `update of ${request.zone} by ${who(request, context)}: ${NAMES[rcode] ?? rcode}: ${reason}`
  if (rcode === RCODE.SERVFAIL) context.log('error', line)
  else context.refusedUpdate(line)
}
