import { execFile, execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import t from 'tap'
import {
  findTsig, judgeRequest, makeSigner, makeVerifier, nameFromText, parseKeys, signatureOctets, signRefusal, signRequest, TSIG_ERROR, type Judged, type Tsig, type TsigKey
} from '../../daemon/wire/index.ts'

const NOW = 1_790_000_000
const HEX = '566f9ebbc21b588e620a592bc3c90132e1360877 85ec615c9c17f673c7410f79'.replace(' ', '')
const secret = Buffer.from(HEX, 'hex').toString('base64')
const { keys } = parseKeys('keys', ['sha256', 'sha384', 'sha512'].map((hash) => `key "${hash}.Test" { algorithm hmac-${hash}; secret "${secret}"; };`).join('\n'))
const key = (hash: string): TsigKey => keys.get(`${hash}.test.`)!
const wire = (text: string): Uint8Array => nameFromText(text) as Uint8Array

/** A message with one question, and as many octets of TXT as are asked for. */
function message(id: number, flags: number, name: string, type: number, octets = 0): Uint8Array {
  const head = Buffer.from([id >> 8, id, flags >> 8, flags, 0, 1, 0, octets > 0 ? 1 : 0, 0, 0, 0, 0])
  const record = octets === 0 ? [] : [Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 9, octets >> 8, octets]), Buffer.alloc(octets, 0)]
  return Buffer.concat([head, wire(name), Buffer.from([0, type, 0, 1]), ...record])
}

const judge = (bytes: Uint8Array, now = NOW): Judged => judgeRequest(bytes, keys, now)

function refusal(bytes: Uint8Array, now = NOW): Extract<Judged, { kind: 'refused' }> {
  const judged = judge(bytes, now)
  if (judged.kind !== 'refused') throw new Error(`${judged.kind}, not refused`)
  return judged
}

t.test('the MAC is what openssl makes of the parts that RFC 8945 names', async (t) => {
  for (const hash of ['sha256', 'sha384', 'sha512']) {
    const query = message(0x1234, 0, 'Example.com.', 6)
    const signed = signRequest(query, key(hash), NOW)
    const time = Buffer.from('00006ab13b80', 'hex')
    t.equal(time.readUIntBE(0, 6), NOW)
    const variables = Buffer.concat([wire(`${hash}.test.`), Buffer.from([0, 255, 0, 0, 0, 0]), wire(`hmac-${hash}.`), time, Buffer.from([1, 44, 0, 0, 0, 0])])
    const openssl = (data: Uint8Array): string => execFileSync('openssl', ['dgst', `-${hash}`, '-mac', 'HMAC', '-macopt', `hexkey:${HEX}`, '-binary'], { input: data }).toString('hex')
    t.equal(Buffer.from(signed.mac).toString('hex'), openssl(Buffer.concat([query, variables])), `${hash}: a request`)
    t.equal(signed.message.length, query.length + signatureOctets(key(hash)))

    const signer = makeSigner(key(hash), signed.mac)
    const first = message(0x1234, 0x8400, 'example.com.', 6, 30)
    const firstMac = (findTsig(signer(first, NOW)) as Tsig).mac
    const behindLength = (mac: Uint8Array): Buffer => Buffer.concat([Buffer.from([0, mac.length]), mac])
    t.equal(Buffer.from(firstMac).toString('hex'), openssl(Buffer.concat([behindLength(signed.mac), first, variables])), 'its reply')
    const second = (findTsig(signer(first, NOW)) as Tsig).mac
    t.equal(Buffer.from(second).toString('hex'), openssl(Buffer.concat([behindLength(firstMac), first, time, Buffer.from([1, 44])])), 'the next message of the stream')
  }
})

t.test('a request that is signed right, forwarded or not', async (t) => {
  const query = message(7, 0, 'example.com.', 6)
  const { message: signed, mac } = signRequest(query, key('sha384'), NOW)
  t.same(judge(signed), { kind: 'signed', key: key('sha384'), mac, message: query })
  t.same(judge(signed, NOW + 300).kind, 'signed')
  const forwarded = Buffer.from(signed)
  forwarded[0] = 99
  t.equal(judge(forwarded).kind, 'signed', 'another id: the original one counts')
  const capitals = Buffer.from(signed)
  for (let at = query.length; at < query.length + 12; at++) if (capitals[at]! >= 97) capitals[at]! -= 32
  t.equal(judge(capitals).kind, 'signed', 'the key written in capitals')
  t.same(judge(query), { kind: 'unsigned' })
})

t.test('every changed octet is noticed', async (t) => {
  const { message: signed } = signRequest(message(7, 0, 'example.com.', 6), key('sha256'), NOW)
  const passed: number[] = []
  t.equal(judge(signed).kind, 'signed')
  // The id alone may change on the way.
  for (let at = 2; at < signed.length; at++) {
    const changed = Buffer.from(signed)
    changed[at]! ^= 1
    if (judge(changed).kind === 'signed') passed.push(at)
  }
  t.same(passed, [])
  for (let length = 12; length < signed.length; length++) t.equal(judge(signed.slice(0, length)).kind, 'malformed')
})

t.test('what is refused, and how the client is told', async (t) => {
  const query = message(7, 0, 'example.com.', 6)
  const { message: signed, mac } = signRequest(query, key('sha256'), NOW)
  const reply = message(7, 0x8009, 'example.com.', 6)
  const others = parseKeys('keys', `key other { algorithm hmac-sha256; secret "${secret}"; }; key sha256.test { algorithm hmac-sha256; secret "AAAA"; };`).keys

  const unknown = refusal(signRequest(query, others.get('other.')!, NOW).message)
  t.match(unknown, { error: TSIG_ERROR.BADKEY, known: undefined })
  t.match(findTsig(signRefusal(reply, unknown, NOW)), { keyName: wire('other.'), error: 17, originalId: 7 })
  t.equal((findTsig(signRefusal(reply, unknown, NOW)) as Tsig).mac.length, 0, 'BADKEY is not signed')
  const otherAlgorithm = parseKeys('keys', `key sha256.test { algorithm hmac-sha512; secret "${secret}"; };`).keys.get('sha256.test.')!
  t.equal(refusal(signRequest(query, otherAlgorithm, NOW).message).error, TSIG_ERROR.BADKEY, 'the name with another algorithm')

  const wrong = refusal(signRequest(query, others.get('sha256.test.')!, NOW).message)
  t.match(wrong, { error: TSIG_ERROR.BADSIG, known: undefined })
  t.equal((findTsig(signRefusal(reply, wrong, NOW)) as Tsig).mac.length, 0, 'BADSIG is not signed')

  const late = refusal(signed, NOW + 301)
  t.match(late, { error: TSIG_ERROR.BADTIME })
  const told = signRefusal(reply, late, NOW + 301)
  t.match(findTsig(told), { time: NOW, fudge: 300, error: 18 })
  t.equal(Buffer.from((findTsig(told) as Tsig).other).readUIntBE(0, 6), NOW + 301)
  t.same(makeVerifier(key('sha256'), mac)(told, NOW), { kind: 'bad', reason: 'the clocks differ by 301 s (BADTIME)' }, 'the client can verify it')
  const forged = Buffer.from(told)
  forged[4]! ^= 1
  t.match(makeVerifier(key('sha256'), mac)(forged, NOW), { reason: /cannot be read|signature of the reply is wrong/ })

  for (const octets of [1, 9, 15]) t.match(refusal(shortened(signed, octets)), { rcode: 1, error: TSIG_ERROR.BADSIG, known: undefined }, 'under half the hash: FORMERR')
  t.match(refusal(shortened(signed, 0)), { rcode: 9, error: TSIG_ERROR.BADSIG, known: undefined }, 'none at all')
  const short = refusal(shortened(signed, 16))
  t.match(short, { error: TSIG_ERROR.BADTRUNC })
  t.equal((findTsig(signRefusal(reply, short, NOW)) as Tsig).mac.length, 32, 'BADTRUNC is signed')
  t.equal(refusal(shortened(signed, 16), NOW + 301).error, TSIG_ERROR.BADTIME, 'the time is looked at first')
  const wrongShort = Buffer.from(shortened(signed, 16))
  wrongShort[wrongShort.length - 10]! ^= 1
  t.equal(refusal(wrongShort).error, TSIG_ERROR.BADSIG)
})

/** A signed message with its MAC cut to so many octets. */
function shortened(signed: Uint8Array, octets: number): Uint8Array {
  const tsig = findTsig(signed) as Tsig
  const cut = tsig.mac.length - octets
  const bytes = Buffer.concat([signed.slice(0, signed.length - 6 - cut), signed.slice(signed.length - 6)])
  bytes[bytes.length - 6 - octets - 1] = octets
  const length = tsig.at + wire('sha256.test.').length + 8
  bytes.writeUInt16BE(bytes.readUInt16BE(length) - cut, length)
  return bytes
}

t.test('TSIG in the wrong place or of the wrong form', async (t) => {
  const { message: signed } = signRequest(message(7, 0, 'example.com.', 6), key('sha256'), NOW)
  const { at } = findTsig(signed) as Tsig
  const twice = Buffer.concat([signed, signed.slice(at)])
  twice[11] = 2
  t.equal(judge(twice).kind, 'malformed', 'two of them')
  const notLast = Buffer.concat([signed, Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0])])
  notLast[11] = 2
  t.equal(judge(notLast).kind, 'malformed', 'with a record behind it')
  const inAnswer = Buffer.from(signed)
  inAnswer[7] = 1
  inAnswer[11] = 0
  t.equal(judge(inAnswer).kind, 'malformed', 'in the answer section')
  t.equal(judge(Buffer.concat([signed, Buffer.of(0)])).kind, 'malformed', 'octets behind the message')
})

t.test('a stream of messages, of which not each is signed', async (t) => {
  const request = signRequest(message(7, 0, 'example.com.', 252), key('sha256'), NOW)
  const part = (count: number): Uint8Array => message(7, 0x8400, 'example.com.', 252, count)
  // What BIND and NSD may send: the plain messages count into the MAC of the next signed one.
  const stream = (sizes: readonly number[]): Uint8Array[] => {
    const signer = makeSigner(key('sha256'), request.mac)
    return sizes.map((size) => signer(part(size), NOW))
  }
  const verify = makeVerifier(key('sha256'), request.mac)
  for (const signed of stream([10, 20, 30])) t.equal(verify(signed, NOW).kind, 'signed')
  const reordered = makeVerifier(key('sha256'), request.mac)
  const [first, second, third] = stream([10, 20, 30])
  t.equal(reordered(first!, NOW).kind, 'signed')
  t.match(reordered(third!, NOW), { kind: 'bad', reason: 'the signature of the reply is wrong' })
  t.equal(makeVerifier(key('sha256'), request.mac)(second!, NOW).kind, 'bad', 'the second as the first')
  t.match(makeVerifier(key('sha256'), request.mac)(part(10), NOW), { kind: 'bad', reason: 'the reply is not signed' })
  const lax = makeVerifier(key('sha256'), request.mac)
  t.equal(lax(first!, NOW).kind, 'signed')
  for (let count = 1; count <= 99; count++) t.equal(lax(part(count), NOW).kind, 'unsigned')
  t.match(lax(part(100), NOW), { kind: 'bad', reason: '100 messages in a row are not signed' })
  const inserted = makeVerifier(key('sha256'), request.mac)
  t.equal(inserted(first!, NOW).kind, 'signed')
  t.equal(inserted(part(5), NOW).kind, 'unsigned')
  t.equal(inserted(second!, NOW).kind, 'bad', 'a message put in by someone else')
})

const run = promisify(execFile)
const has = (program: string): boolean => {
  try {
    execFileSync(program, ['-v'], { stdio: 'ignore' })
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}

for (const client of ['dig', 'kdig']) {
  t.test(`${client} verifies what is signed here, and is verified`, { skip: has(client) ? false : `${client} is not installed` }, async (t) => {
    const port = client === 'dig' ? 12001 : 12002
    const seen: string[] = []
    const answer = (request: Uint8Array, messages: number): Uint8Array[] => {
      const now = Math.floor(Date.now() / 1000)
      const judged = judgeRequest(request, keys, now)
      seen.push(judged.kind)
      if (judged.kind !== 'signed') return []
      const { message: query } = judged
      const questionEnd = 12 + wire('example.com.').length + 4
      const soa = Buffer.concat([Buffer.from([0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 9, 0, 22]), Buffer.from([0, 0, 0, 0, 0, 1]), Buffer.alloc(16, 1)])
      const text = Buffer.concat([Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 9, 0, 2, 1, 65])])
      const signer = makeSigner(judged.key, judged.mac)
      return Array.from({ length: messages }, (_, index) => {
        const record = index > 0 && index < messages - 1 ? text : soa
        const reply = Buffer.concat([query.subarray(0, questionEnd), record])
        reply.set([0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0], 2)
        return signer(reply, now)
      })
    }
    const udp = createSocket('udp4', (request, from) => answer(request, 1).forEach((reply) => udp.send(reply, from.port, from.address)))
    const tcp = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (data) => {
        for (const reply of answer(data.subarray(2), 5)) socket.write(Buffer.concat([Buffer.from([reply.length >> 8, reply.length]), reply]))
      })
    })
    await Promise.all([new Promise<void>((done) => udp.bind(port, '127.0.0.1', done)), new Promise<void>((done) => void tcp.listen(port, '127.0.0.1', done))])
    t.teardown(() => (udp.close(), tcp.close()))
    const ask = async (hash: string, words: readonly string[], value = secret): Promise<string> => {
      const once = client === 'dig' ? ['+tries=1', '+nocookie'] : ['+retry=0']
      const { stdout, stderr } = await run(client, ['@127.0.0.1', '-p', String(port), '-y', `hmac-${hash}:${hash}.TEST:${value}`, 'example.com.', ...words, ...once], { timeout: 120_000 }).catch(
        (error: { stdout: string; stderr: string }) => error
      )
      return stdout + stderr
    }
    for (const hash of ['sha256', 'sha384', 'sha512']) {
      const single = await ask(hash, ['SOA', '+time=30'])
      t.match(single, /status: NOERROR/, hash)
      t.notMatch(single, /verify|failed|BADSIG/i)
      const stream = await ask(hash, ['AXFR', '+time=30'])
      t.match(stream, /TXT\s+"A"[^]*TXT\s+"A"[^]*TXT\s+"A"[^]*SOA/, 'a stream of five messages')
      t.notMatch(stream, /verify|fail|BADSIG|expected/i)
    }
    t.same(new Set(seen), new Set(['signed']))
    await ask('sha256', ['SOA', '+time=1'], 'AAAA')
    for (let tries = 0; tries < 600 && seen.at(-1) !== 'refused'; tries++) await new Promise((resolve) => setTimeout(resolve, 50))
    t.equal(seen.at(-1), 'refused', 'with another secret')
  })
}
