import type { After, Clock } from '../../core/clock.ts'
import { makeVerifier, readMessage, signRequest, TYPE, type TsigKey } from '../wire/index.ts'
import { serialOf } from '../zone/index.ts'
import { askByUdp, type Endpoint } from './client.ts'
import { makeQuestion, OPCODE_NOTIFY, rcodeText } from './question.ts'
import { isSameName } from './transfer-in.ts'
import { makeTurns } from './turns.ts'

// Tells other servers that a zone has changed (RFC 1996).

export interface NotifiedPeer extends Endpoint {
  readonly name: string
  readonly key?: TsigKey
}

export interface NotifyOptions {
  /** The zones that anybody is told of, by name: text with the final dot. */
  readonly zones: ReadonlyMap<string, { readonly origin: Uint8Array; readonly peers: readonly NotifiedPeer[] }>
  /** RDATA of the SOA that is served of a zone now; undefined: it is not served. */
  soaOf(origin: Uint8Array): Uint8Array | undefined
  readonly clock: Clock
  readonly after: After
  random(): number
  log(level: 'info' | 'warn', text: string): void
}

export interface Notifier {
  /** The zone has changed, or is served for the first time. */
  changed(zone: string): void
  close(): void
}

/** After each time a notification is sent; milliseconds. A peer that did not answer the last one is tried once. */
const WAITS = [1000, 2000, 4000, 8000, 16_000]
const SHORT_WAITS = [2000]
/** Of one zone to one peer: from the end of one notification to the next; milliseconds. */
const SPACE = 1000
/** Under way to one peer at once. */
const MOST_UNDER_WAY = 16

/** What one peer is told of one zone. */
interface Job {
  readonly zone: string
  readonly origin: Uint8Array
  readonly peer: NotifiedPeer
  isWanted: boolean
  isUnderWay: boolean
}

interface PeerState {
  readonly turns: ReturnType<typeof makeTurns>
  /** What was wrong the last time; told once. */
  trouble: string | undefined
}

export function startNotifier(options: NotifyOptions): Notifier {
  const { zones, after } = options
  const jobs = new Map<string, Job[]>()
  const peers = new Map<NotifiedPeer, PeerState>()
  let isClosed = false
  for (const [zone, { origin, peers: told }] of zones) {
    jobs.set(zone, told.map((peer) => ({ zone, origin, peer, isWanted: false, isUnderWay: false })))
    for (const peer of told) if (!peers.has(peer)) peers.set(peer, { turns: makeTurns(MOST_UNDER_WAY), trouble: undefined })
  }

  const begin = (job: Job): void => {
    if (job.isUnderWay || isClosed) return
    job.isUnderWay = true
    peers.get(job.peer)!.turns.run(() => work(job))
  }
  const work = async (job: Job): Promise<void> => {
    const state = peers.get(job.peer)!
    job.isWanted = false
    const { trouble, serial } = await notify(options, job, state.trouble === undefined ? WAITS : SHORT_WAITS)
    if (trouble !== undefined && trouble !== state.trouble && !isClosed) options.log('warn', `${job.peer.name} could not be told of ${job.zone} serial ${serial}: ${trouble}`)
    if (trouble === undefined && state.trouble !== undefined) options.log('info', `${job.peer.name} can be told of changes again`)
    state.trouble = trouble
    // What has changed while this was under way is told a little later, all at once.
    after(SPACE, () => {
      job.isUnderWay = false
      const soa = options.soaOf(job.origin)
      if (job.isWanted && soa !== undefined && (trouble !== undefined || serialOf(soa) !== serial)) begin(job)
    })
  }
  return {
    changed: (zone) => {
      for (const job of jobs.get(zone) ?? []) {
        job.isWanted = true
        begin(job)
      }
    },
    close: () => void (isClosed = true)
  }
}

/** Sends what the zone is now, each time anew, until it is answered; what is wrong, if anything, and the serial told. */
async function notify(options: NotifyOptions, { origin, peer }: Job, waits: readonly number[]): Promise<{ readonly trouble?: string; readonly serial: number }> {
  const { clock, after, random, soaOf } = options
  const now = (): number => Math.floor(clock.now() / 1000)
  const id = Math.floor(random() * 0x10000)
  let versions = 0
  let sent: { readonly soa: Uint8Array; readonly message: Uint8Array; readonly mac?: Uint8Array; readonly key?: TsigKey } | undefined
  const message = (): Uint8Array => {
    const soa = soaOf(origin) ?? sent!.soa
    if (sent === undefined || serialOf(sent.soa) !== serialOf(soa)) {
      versions++
      const { key } = peer
      const plain = makeQuestion({ id, name: origin, type: TYPE.SOA, soa, opcode: OPCODE_NOTIFY })
      sent = { soa, ...(key === undefined ? { message: plain } : { ...signRequest(plain, key, now()), key }) }
    }
    return sent.message
  }
  const read = (bytes: Uint8Array): { readonly kind: 'answered'; readonly trouble?: string } | undefined => {
    const verdict = sent?.mac === undefined ? undefined : makeVerifier(sent.key!, sent.mac)(bytes, now())
    // What does not answer the last one may answer one before it.
    if (verdict?.kind === 'bad') return versions > 1 ? undefined : { kind: 'answered', trouble: verdict.reason }
    const reply = readMessage(verdict?.message ?? bytes)
    if (reply === undefined || !reply.isReply || reply.id !== id || reply.opcode !== OPCODE_NOTIFY) return undefined
    // Some answer with the header alone.
    if (reply.questions.length > 0 && !isSameName(reply.questions[0]!.name, origin)) return undefined
    return reply.rcode === 0 ? { kind: 'answered' } : { kind: 'answered', trouble: `it answers ${rcodeText(reply.rcode)}` }
  }
  if (soaOf(origin) === undefined) return { serial: 0 }
  const result = await askByUdp({ to: peer, message, waits, after, isPatient: true, read })
  const trouble = result.kind === 'none' ? result.reason : result.trouble
  return { serial: serialOf(sent!.soa), ...(trouble !== undefined && { trouble }) }
}
