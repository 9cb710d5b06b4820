import packet from 'dns-packet'
import { HAND_OVER } from '../../daemon/answer/index.ts'
import { makeAnswerer } from '../../daemon/answer.ts'
import type { World } from '../../daemon/world.ts'
import { worldOf } from '../answer/stage.ts'
import { readMessage } from '../helpers/message.ts'
import type { Random } from '../helpers/random.ts'
import { Broken, never } from './broken.ts'
import { readPackets, readZoneTexts } from './corpus.ts'
import { mutatePacket } from './mutate.ts'
import type { Subject } from './subject.ts'

const UDP_MOST = 1232
/** How many times the work of the costliest good question any packet may make. */
const WORK = 40

/** A world of the zones in the corpus, with a steered name. */
export function corpusWorld(): World {
  const zones = readZoneTexts().filter(({ name }) => name !== 'syntax.zone').map(({ name, text }) => ({ name: `${name.slice(0, -5)}.test`, text }))
  const steered = '@ 60 SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1\nns1 A 192.0.2.53\nd1 20 ROUTE nearest\n*.d 20 ROUTE shared\nh 20 HTTPS 1 . alpn=h2\nalias 20 ALIAS d1\nmany 20 MX 10 d1\n'
  return worldOf({
    zones: [...zones, { name: 'steered.test', text: steered }],
    policies: 'policies:\n  nearest: { latency: [icn, fra] }\n  shared: { weighted: { icn: 70, fra: 30 } }\n',
    edges: [['icn', '192.0.2.1', '2001:db8::1', '37.46', '126.44'], ['fra', '192.0.2.4', '50.03', '8.56']],
    places: [['168.126.0.0/16', 'KR', 'AS', '37.5', '127.0'], ['2001:db8:aaaa::/48', 'KR', 'AS', '37.5', '127.0']]
  })
}

/** Feeds changed packets to `answer()`: it never throws, never answers a response, never says too much, and what it says can be read. */
export function answerSubject(): Subject {
  const packets = readPackets()
  let trouble: unknown
  const answerer = makeAnswerer({ world: corpusWorld(), onError: (error) => (trouble = error), serverId: 'fuzz', version: 'fuzz' })
  const source = { family: 4, bytes: Uint8Array.of(168, 126, 1, 1), at: 0 } as const
  const out = new Uint8Array(65_535)
  const answer = (bytes: Uint8Array, transport: 'udp' | 'tcp'): number => answerer.answer(bytes, 0, bytes.length, source, transport, out, 0, out.length)
  const most = costOf(() => packets.forEach((bytes) => answer(bytes, 'tcp'))) * WORK
  return {
    name: 'answer',
    feed(random: Random) {
      const bytes = mutatePacket(random, packets)
      const transport = random.percent(30) ? 'tcp' : 'udp'
      const begun = performance.now()
      const length = never('answer()', bytes, () => answer(bytes, transport))
      if (performance.now() - begun > most && costOf(() => answer(bytes, transport)) > most) throw new Broken(`more than ${most} ms of work`, bytes)
      if (trouble !== undefined) throw new Broken(`trouble of our own: ${(trouble as Error).stack}`, bytes)
      if (length !== HAND_OVER && length !== 0) checkReply(bytes, Buffer.from(out.subarray(0, length)), transport)
    }
  }
}

/** The least time of a few, in milliseconds: a machine at work elsewhere is no fault of ours. */
function costOf(act: () => unknown): number {
  let least = Infinity
  for (let tries = 0; tries < 5; tries++) {
    const begun = performance.now()
    act()
    least = Math.min(least, performance.now() - begun)
  }
  return least
}

function checkReply(query: Uint8Array, reply: Buffer, transport: 'udp' | 'tcp'): void {
  if (query.length < 12 || query[2]! >= 0x80) throw new Broken('answered what is no query', query)
  if (reply.length > (transport === 'udp' ? UDP_MOST : 65_535)) throw new Broken(`a reply of ${reply.length} octets`, query)
  const message = never('the reading of the reply', query, () => readMessage(reply))
  never('dns-packet', query, () => packet.decode(reply))
  if (message.id !== (query[0]! << 8 | query[1]!) || (message.flags & 0x80) !== 0 || reply[2]! < 0x80) throw new Broken('a reply to something else', query)
  if (message.opt === undefined && transport === 'udp' && reply.length > 512) throw new Broken(`${reply.length} octets without EDNS`, query)
  const question = message.question ?? ''
  if (question !== '' && !Buffer.from(query).toString('hex', 12).startsWith(question)) throw new Broken('another question came back', query)
}
