import { z } from 'zod'

/** How members of the fleet stand to each other: who asks whom, and how evenly. */
export const tiers = z
  .strictObject({
    'load-bound': z.number().min(1.05).max(100).default(1.25).meta({ description: 'of several parents none is given more than so many times its fair share of the fetches under way: what is beyond goes to the next on the ring' }),
    neighbours: z.array(z.enum(['edges', 'regionals'])).default([]).meta({ description: 'tiers whose members, before they go up, ask the one among their equals that would most likely hold it', unit: 'list of `edges`, `regionals`' })
  })
  .prefault({})
  .meta({ description: 'how the tiers ask each other' })
