import { z } from 'zod'

/** How members of the fleet stand to each other: who asks whom, and how evenly. */
export const tiers = z
  .strictObject({
    'load-bound': z.number().min(1.05).max(100).default(1.25).meta({ description: 'of several parents none is given more than so many times its fair share of the fetches under way: what is beyond goes to the next on the ring' }),
    neighbours: z.array(z.enum(['edges', 'regionals'])).default([]).meta({ description: 'tiers whose members, before they go up, ask the one among their equals that would most likely hold it', unit: 'list of `edges`, `regionals`' }),
    'retry-share': z.number().min(0).max(1).default(0.1).meta({ description: 'how many requests to an origin may be repeated, as a share of all' }),
    'hedge-share': z.number().min(0).max(1).default(0.05).meta({ description: 'how many fetches may be asked of a second regional as well, where the first takes longer than it did for 95 of 100, as a share of all; 0: none' })
  })
  .prefault({})
  .meta({ description: 'how the tiers ask each other' })
