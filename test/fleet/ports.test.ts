import { createSocket, type Socket } from 'node:dgram'
import { createServer, type Server } from 'node:net'
import t from 'tap'
import { parseConfig } from '../../core/config-file.ts'
import { choosePorts } from '../../fleet/ports.ts'

const configOf = (text: string) => parseConfig('test.yaml', text).config!
const config = configOf(`
dns: { listen: [127.0.0.1, 127.0.0.2], port: 14100 }
http: { port: 14110 }
https: { port: 14110, certificate: a.pem, key: b.pem }
admin: { port: 14100 }
edges: { icn: { address: [127.0.20.1, 127.0.20.2], city: Seoul, at: [37, 126] } }
origins: { demo: { demo: 127.0.20.9 } }
`)

const closers: (() => void)[] = []
t.afterEach(() => {
  for (const close of closers.splice(0)) close()
})

const listenTcp = (host: string, port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    closers.push(() => server.close())
    server.once('error', reject)
    server.listen({ host, port }, () => resolve(server))
  })

const bindUdp = (address: string, port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    // As another daemon would: a shared port must count as taken all the same.
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    closers.push(() => socket.close())
    socket.once('error', reject)
    socket.bind({ address, port }, () => resolve(socket))
  })

t.test('free ports are taken as they are asked for, and no port twice', async (t) => {
  t.match(await choosePorts(config, {}), {
    ports: { dns: 14100, http: 14110, https: 14111, admin: 14101 },
    listen: ['127.0.0.1', '127.0.0.2'],
    notes: ['HTTPS port 14110 is taken: using 14111', 'admin port 14100 is taken: using 14101']
  })
  t.match(await choosePorts(config, { dns: 14102, http: 14120, https: 14121, admin: 14130 }), { ports: { dns: 14102, http: 14120, https: 14121, admin: 14130 }, notes: [] })
})

t.test('an HTTPS port asked for where no HTTPS is configured is said not to be opened', async (t) => {
  const { https: _, ...plain } = config
  t.match(await choosePorts(plain, { dns: 14104, http: 14122, https: 14123, admin: 14131 }), {
    ports: { https: undefined },
    notes: ['HTTPS port 14123 is not opened: nearcast.yaml has no https:']
  })
})

t.test('an HTTP port that is taken on any address of any member moves for the whole fleet', async (t) => {
  await listenTcp('127.0.20.9', 14110)
  await listenTcp('127.0.20.2', 14111)
  t.match(await choosePorts(config, {}), { ports: { http: 14112 }, notes: ['HTTP port 14110 is taken: using 14112', 'admin port 14100 is taken: using 14101'] })
})

t.test('a fixed DNS port that is taken by UDP or TCP, on any address, is refused in one line', async (t) => {
  await bindUdp('127.0.0.2', 14100)
  t.equal(await choosePorts(config, {}), 'DNS cannot listen on 127.0.0.2 port 14100 (UDP): taken by another process; another one is chosen with --port N')
  await listenTcp('127.0.0.1', 14103)
  t.match(await choosePorts(config, { dns: 14103 }), /127\.0\.0\.1 port 14103 \(TCP\): taken/)
})

t.test('auto takes 53 when it is allowed and free everywhere, else 5300', async (t) => {
  const auto = configOf('dns: { listen: [127.0.0.8], port: auto }\nadmin: { port: 14130 }')
  const isRoot = process.getuid?.() === 0
  t.match(await choosePorts(auto, {}), { ports: { dns: isRoot ? 53 : 5300 } })
  if (!isRoot) return
  await listenTcp('127.0.0.8', 53)
  t.match(await choosePorts(auto, {}), { ports: { dns: 5300 }, not53: 'taken by another process' })
  await bindUdp('127.0.0.8', 5300)
  t.match(await choosePorts(auto, {}), /^DNS cannot listen on 127\.0\.0\.8 port 5300 \(UDP\): taken/)
})

t.test('an address that the machine has not is left out with a note, or refused when it is a worker\'s', async (t) => {
  const partly = configOf('dns: { listen: [127.0.0.1, 192.0.2.1], port: 14100 }\nadmin: { port: 14130 }')
  t.match(await choosePorts(partly, {}), { listen: ['127.0.0.1'], notes: ['this machine has no 192.0.2.1: DNS does not listen there'] })
  t.match(await choosePorts(configOf('dns: { listen: [192.0.2.1], port: 14100 }'), {}), /none of the addresses of dns\.listen/)
  const edge = configOf('dns: { listen: [127.0.0.1], port: 14100 }\nedges: { icn: { address: 192.0.2.1, city: Seoul, at: [0, 0] } }')
  t.equal(await choosePorts(edge, { http: 14110 }), 'HTTP cannot listen on 192.0.2.1 port 14110 (edge icn): this machine has no such address')
})
