import { listenAsBird, routeText } from '../test/paths/bird.ts'

// A stand-in for BIRD in a process of its own: lists as many routes as it is told, spread over the addresses as the Internet's are.

const [path = '', v4 = '0', v6 = '0'] = process.argv.slice(2)

await listenAsBird(path, (command) => (command === 'restrict' ? ['0016 Access restricted\n'] : list(command.endsWith('master6') ? 6 : 4)))
process.send?.('listens')

/** A spread that repeats nothing: odd multiples, as a hash table lists them. */
function* list(family: 4 | 6): Iterable<string> {
  const count = Number(family === 4 ? v4 : v6)
  let piece = `1007-Table master${family}:\n`
  for (let route = 0; route < count; route++) {
    const at = Math.imul(route, 0x9e3779b1) >>> 0
    piece += routeText(family === 4 ? prefix4(route) : prefix6(at, route), pathOf(at)).replace(/^1007-/, route === 0 ? ' ' : '1007-')
    if (piece.length > 60_000) {
      yield piece
      piece = ''
    }
  }
  yield `${piece}0000 \n`
}

/** 1 to 9 ASes, some of them prepended. */
function pathOf(at: number): string {
  const length = 1 + (at % 7)
  const path = Array.from({ length }, (_, hop) => 1000 + ((at >>> hop) % 60_000))
  return [...path, ...(at % 5 === 0 ? [path.at(-1)!, path.at(-1)!] : [])].join(' ')
}

/** A /24 each, from 1.0.0.0 up, in no order. */
function prefix4(route: number): string {
  const net = ((Math.imul(route, 0x1cfaf) & 0x1fffff) + 0x10000) >>> 0
  return `${net >>> 16}.${(net >>> 8) & 255}.${net & 255}.0/24`
}

/** A /48 each below 2000::/4. */
function prefix6(at: number, route: number): string {
  return `2${(at >>> 20).toString(16).padStart(3, '0')}:${(at & 0xffff).toString(16)}:${(route & 0xffff).toString(16)}::/48`
}
