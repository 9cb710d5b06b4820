import t from 'tap'
import { makeRandom } from '../helpers/random.ts'
import { UpstreamClient } from '../../edge/http/index.ts'
import { readResponses } from './corpus.ts'
import { startRawOrigin } from './raw-origin.ts'
import { makeSubjects } from './subjects.ts'

// A short run with seeds of its own; `npm run fuzz -- --minutes N` runs long and with others.
const INPUTS: Readonly<Record<string, number>> = { answer: 20_000, messages: 20_000, signatures: 4000, 'key files': 2000, updates: 3000, 'zone files': 1500, RDATA: 20_000, responses: 20 }

for (const { name, feed, close } of makeSubjects()) {
  t.test(name, async (t) => {
    const random = makeRandom(1)
    for (let left = INPUTS[name]!; left > 0; left--) await feed(random)
    await close?.()
    t.pass(`${INPUTS[name]} inputs`)
  })
}

const ID = '1234567890'

/** What a client makes of an answer: what it was told, in order, the pieces of the body joined. */
async function hear(client: UpstreamClient, port: number, path: string): Promise<string> {
  let heard = ''
  let body = ''
  return new Promise((resolve) => {
    client.fetch({ server: { secure: false, address: '127.0.0.1', port }, method: 'GET', path, fields: ['Host', 'origin.test'], connectMs: 30_000, responseMs: 30_000 }, {
      inform: (status, fields) => (heard += `${status} ${fields.join()}\n`),
      head: (status, fields) => (heard += `${status} ${fields.join()}\n`),
      data: (piece) => (body += piece.toString('latin1')),
      end: () => resolve(`${heard}${body}`),
      trouble: ({ kind }) => resolve(`${heard}${body}\n${kind}`)
    })
  })
}

t.test('answers are understood alike wherever they are cut', async (t) => {
  const client = new UpstreamClient()
  const origin = await startRawOrigin()
  for (const { text, about } of readResponses()) {
    const whole = text.replaceAll('{id}', ID)
    // What comes after an answer is said while nothing is asked, or along with it: that is told apart by nobody.
    if (about === 'two answers to one request' || about === 'another protocol, unasked') continue
    origin.scripts.set('/', { pieces: [whole], after: 'end' })
    const expected = await hear(client, origin.port, '/')
    const wrong: number[] = []
    await Promise.all(Array.from(whole, async (_, at) => {
      origin.scripts.set(`/${at}`, { pieces: [whole.slice(0, at), whole.slice(at)].filter((piece) => piece !== ''), after: 'end' })
      if ((await hear(client, origin.port, `/${at}`)) !== expected) wrong.push(at)
    }))
    t.same(wrong, [], about)
  }
  client.close()
  await origin.close()
})

t.test('a connection on which something is said unasked is not used again', async (t) => {
  const client = new UpstreamClient()
  const origin = await startRawOrigin()
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'
  origin.scripts.set('/first', { pieces: [`${answer}no`], after: 'keep', unasked: 'HTTP' })
  origin.scripts.set('/second', { pieces: [`${answer}ok`], after: 'keep' })
  t.equal(await hear(client, origin.port, '/first'), '200 Content-Length,2\nno')
  await origin.silent()
  t.equal(await hear(client, origin.port, '/second'), '200 Content-Length,2\nok')
  t.equal(origin.connections(), 2)
  client.close()
  await origin.close()
})
