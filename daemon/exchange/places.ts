import type { World } from '../world.ts'
import type { Context } from './context.ts'
import { placeNumber } from './plain-records.ts'
import type { Request } from './request.ts'
import { peerOf } from './rules.ts'

/** The places of peers, looked up once for a table of places. */
export type PlaceBook = (request: Request, world: World, context: Pick<Context, 'rules' | 'log'>) => number

export function makePlaceBook(): PlaceBook {
  let tables: World['places'] | undefined
  const known = new Map<string, number>()
  return (request, world, { rules, log }) => {
    if (tables !== world.places) {
      tables = world.places
      known.clear()
    }
    const peer = peerOf(rules, request.source, request.keyName)
    const place = peer?.place ?? rules.local
    let number = known.get(place)
    if (number === undefined) {
      const found = placeNumber(world, place)
      // A server without policies has no table of places, and no need of one.
      if (found === undefined && world.places.size > 1) log('warn', `peers.${peer?.name ?? ''}: no network is known to be in ${place}; what is steered is transferred as for an unknown place`)
      number = found ?? 0
      known.set(place, number)
    }
    return number
  }
}
