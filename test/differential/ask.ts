import { createSocket } from 'node:dgram'
import { connect } from 'node:net'

export type Transport = 'udp' | 'tcp'

/** A reply's octets, or what came in its place. */
export type Reply = Buffer | 'silence' | 'closed'

/** Sends the octets and waits for the first reply, whatever it is. */
export function ask(port: number, bytes: Buffer, transport: Transport, withinMs: number): Promise<Reply> {
  return transport === 'udp' ? askUdp(port, bytes, withinMs) : askTcp(port, bytes, withinMs)
}

function askUdp(port: number, bytes: Buffer, withinMs: number): Promise<Reply> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    const late = setTimeout(() => end('silence'), withinMs)
    const end = (reply: Reply): void => {
      clearTimeout(late)
      socket.close()
      resolve(reply)
    }
    socket.on('message', end)
    socket.on('error', () => end('closed'))
    socket.connect(port, '127.0.0.1', () => socket.send(bytes))
  })
}

function askTcp(port: number, bytes: Buffer, withinMs: number): Promise<Reply> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let got = Buffer.alloc(0)
    const late = setTimeout(() => end('silence'), withinMs)
    const end = (reply: Reply): void => {
      clearTimeout(late)
      socket.destroy()
      resolve(reply)
    }
    socket.on('error', () => end('closed'))
    socket.on('close', () => end('closed'))
    socket.on('data', (chunk) => {
      got = Buffer.concat([got, chunk])
      if (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) end(got.subarray(2, 2 + got.readUInt16BE(0)))
    })
    const head = Buffer.alloc(2)
    head.writeUInt16BE(bytes.length)
    socket.write(Buffer.concat([head, bytes]))
  })
}
