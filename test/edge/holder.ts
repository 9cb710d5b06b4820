import { connect, type Socket } from 'node:net'

// A client process that holds many connections. Arguments: address, port, how many, and what it sends first on each; with a fifth
// argument it goes on sending that, a little at a time. Told anything, it says how they stand.

export interface Holding {
  readonly open: number
  /** First octets of the answers, by how many have had them. */
  readonly heard: Readonly<Record<string, number>>
}

const [address, port, count, first, drip] = process.argv.slice(2) as [string, string, string, string, string | undefined]
/** At a time, so that no backlog runs over. */
const AT_ONCE = 200
const DRIP_MS = 500
let open = 0
const heard: Record<string, number> = {}
const sockets = new Set<Socket>()

function hold(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: Number(port) }, () => {
      open++
      sockets.add(socket)
      socket.write(first, 'latin1')
      if (drip !== undefined) resolve()
    })
    socket.once('data', (piece: Buffer) => {
      const start = piece.toString('latin1', 0, 12)
      heard[start] = (heard[start] ?? 0) + 1
      resolve()
    })
    socket.on('error', () => undefined).once('close', () => {
      if (sockets.delete(socket)) open--
      resolve()
    })
  })
}

for (let held = 0; held < Number(count); held += AT_ONCE) await Promise.all(Array.from({ length: Math.min(AT_ONCE, Number(count) - held) }, hold))
process.on('message', () => process.send!({ open, heard } satisfies Holding))
process.on('disconnect', () => process.exit(0))
process.send!('held')
if (drip !== undefined) setInterval(() => sockets.forEach((socket) => socket.writable && socket.write(drip, 'latin1')), DRIP_MS)
