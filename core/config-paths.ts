import { z } from 'zod'
import { duration } from './config-values.ts'

const SHORTEST_EVERY_MS = 1000

const birdName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, { message: 'expected a name of letters, digits and underscores, as in bird.conf' })

/** Where AS paths are read, by which the verb `score` goes. */
export const paths = z
  .strictObject({
    socket: z.string().min(1).default('/run/bird/bird.ctl').meta({ description: 'control socket of BIRD 2 or 3; nothing is changed over it', unit: 'path' }),
    tables: z.array(birdName).min(1).default(['master4', 'master6']).meta({ description: 'tables of BIRD whose best routes are read', unit: 'list of names' }),
    upstreams: z.array(birdName).default([]).meta({ description: 'BGP sessions that count, by the names of their protocols in bird.conf; empty: all', unit: 'list of names' }),
    every: duration('how long after one reading the next begins, 1s at least', '5m').refine((ms) => ms >= SHORTEST_EVERY_MS, { message: 'must be 1s at least' }),
    patience: duration('a BIRD that says nothing for so long has failed', '10s')
  })
  .optional()
  .meta({ description: 'how many autonomous systems away networks are, read from BIRD and told to the other PoPs. Absent: nothing is known of that' })
