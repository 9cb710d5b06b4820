import { judgeRequest, makeSigner, OPCODE, RCODE, signatureOctets, signRefusal, TSIG_ERROR, TYPE } from '../wire/index.ts'
import type { Handed } from '../serve/index.ts'
import type { Context } from './context.ts'
import { notified } from './notify-in.ts'
import { readRequest, refusal, type Answer, type Request } from './request.ts'
import { transfer } from './transfer.ts'

/** Who serves what: the first row that fits. Without types: all of them. */
interface Row {
  readonly opcode: number
  readonly types?: readonly number[]
  serve(request: Request, context: Context): Answer | Promise<Answer>
}

const ROWS: readonly Row[] = [
  { opcode: OPCODE.QUERY, types: [TYPE.AXFR, TYPE.IXFR], serve: transfer },
  { opcode: OPCODE.NOTIFY, serve: notified },
  { opcode: OPCODE.UPDATE, serve: (request, context) => context.updates.serve(request, context) },
  { opcode: OPCODE.QUERY, serve: (request, context) => context.answer(request) }
]

/** Most octets of a reply over UDP: what passes unfragmented nearly everywhere. */
const UDP_OCTETS = 1232
const TCP_OCTETS = 65535

/** The replies to a message, signed where it was, each made when it is asked for. */
export async function* replies({ message, family, address, transport }: Handed, context: Context): AsyncGenerator<Uint8Array, void, undefined> {
  const { rules, clock } = context
  const now = (): number => Math.floor(clock.now() / 1000)
  const judged = judgeRequest(message, rules.keys, now())
  const about = { source: { family, bytes: address }, transport }
  const room = transport === 'tcp' ? TCP_OCTETS : UDP_OCTETS
  switch (judged.kind) {
    case 'malformed': {
      const request = readRequest(message, { ...about, limit: room })
      if (request !== undefined) yield refusal(request, RCODE.FORMERR)
      return
    }
    case 'refused': {
      const request = readRequest(message, { ...about, limit: room })
      if (request === undefined) return
      context.refused(`a message from ${context.sourceText(about.source)} for ${request.zone} is refused: ${ERRORS[judged.error] ?? judged.error} with key ${judged.tsig.keyName.length > 1 ? context.keyText(judged.tsig.keyName) : '.'}`)
      yield signRefusal(refusal(request, judged.rcode), judged, now())
      return
    }
    case 'unsigned': {
      const request = readRequest(message, { ...about, limit: room })
      if (request !== undefined) yield* all(serve(request, context))
      return
    }
    case 'signed': {
      const request = readRequest(judged.message, { ...about, key: judged.key, mac: judged.mac, limit: room - signatureOctets(judged.key) })
      if (request === undefined) return
      const sign = makeSigner(judged.key, judged.mac)
      for await (const reply of all(serve(request, context))) yield sign(reply, now())
    }
  }
}

const ERRORS: Readonly<Record<number, string>> = Object.fromEntries(Object.entries(TSIG_ERROR).map(([name, number]) => [number, name]))

function serve(request: Request, context: Context): Answer | Promise<Answer> {
  const row = ROWS.find(({ opcode, types }) => opcode === request.opcode && (types === undefined || types.includes(request.type)))
  if (row === undefined) return refusal(request, RCODE.NOTIMP)
  // Of an ordinary query, the answerer tells what is wrong with it.
  const isOrdinary = request.opcode === OPCODE.QUERY && row.types === undefined
  if (request.fault !== RCODE.NOERROR && !isOrdinary) return refusal(request, request.fault)
  return row.serve(request, context)
}

async function* all(answer: Answer | Promise<Answer>): AsyncGenerator<Uint8Array, void, undefined> {
  const said = await answer
  if (said === undefined) return
  if (said instanceof Uint8Array) yield said
  else yield* said
}
