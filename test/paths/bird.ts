import { createServer, type Server, type Socket } from 'node:net'

// A stand-in for BIRD's control socket, which lists the routes it is given.

/** One route as BIRD lists it, best of its prefix. `first`: the table is named before it. */
export function routeText(prefix: string, path: string, first?: string): string {
  const head = first === undefined ? `1007-${prefix}` : `1007-Table ${first}:\n ${prefix}`
  return `${head}         unicast [up4 2026-11-21] * (100) [AS64496i]\n \tvia 10.0.0.1 on eth0\n1008-\tType: BGP univ\n1012-\tBGP.origin: IGP\n \tBGP.as_path: ${path}\n \tBGP.next_hop: 10.0.0.1\n \tBGP.local_pref: 100\n`
}

/** What it says to a command, in pieces; a reply's last line is part of it. */
export type Says = (command: string) => Iterable<string>

export function listenAsBird(path: string, says: Says): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.write('0001 BIRD 2.0.12 ready.\n')
    socket.on('data', (octets) => {
      for (const command of octets.toString().split('\n').filter((line) => line !== '')) pour(socket, says(command)[Symbol.iterator]())
    })
  })
  return new Promise((resolve) => server.listen(path, () => resolve(server)))
}

/** Writes no faster than is read. */
function pour(socket: Socket, pieces: Iterator<string>): void {
  for (;;) {
    const { done, value } = pieces.next()
    if (done === true || socket.destroyed) return
    if (!socket.write(value)) return void socket.once('drain', () => pour(socket, pieces))
  }
}
