import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { loadSystem } from '../../daemon/serve/index.ts'
import { openCarrier } from '../../daemon/serve/tcp-carrier.ts'
import type { System } from '../../daemon/serve/system.ts'

const system = await loadSystem()

t.test('a system that gives no queue for events: connections go by node:net, and that is said', { skip: typeof system === 'string' && system }, async (t) => {
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  free.close()
  await once(free, 'close')
  const said: string[] = []
  const refusing: System = { ...(system as System), epoll_create1: () => -1, errno: () => 24 }
  const carrier = openCarrier(refusing, { outSize: 1024, held: new Int32Array(64), gathers: true, elapsed: () => 0 }, (text) => said.push(text))
  t.teardown(() => carrier.close())
  carrier.out.write('hello there')
  await carrier.listen({ family: 4, address: '127.0.0.1', port, wildcard: false }, (connection) => {
    connection.writeOut(5)
    connection.end()
    return { data: () => undefined, drained: () => undefined, ended: () => undefined, closed: () => undefined }
  })
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk) => (heard += chunk.toString()))
  await once(socket, 'close')
  t.equal(heard, 'hello')
  t.same(said, ['TCP is served through node:net, at a higher cost per query: epoll_create1: error 24'])
})
