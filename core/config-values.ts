import { z } from 'zod'
import { parseAddress, parsePrefix } from './address.ts'
import { parseDuration, parseSize } from './quantity.ts'

// The sorts of values that stand in nearcast.yaml: each checks, explains itself where it is wrong, and names its unit.

const DURATION = 'expected a duration such as 250ms, 2s, 1m or 1h'
const SIZE = 'expected a size such as 512B, 64KiB, 256MiB or 2GiB'

export const duration = (description: string, preset: string) =>
  z
    .string({ error: DURATION })
    .default(preset)
    .refine((text) => parseDuration(text) !== undefined, { message: DURATION })
    .transform((text) => parseDuration(text)!)
    .meta({ description, unit: 'duration' })

export const size = (description: string, preset: string) =>
  z
    .string({ error: SIZE })
    .default(preset)
    .refine((text) => parseSize(text) !== undefined, { message: SIZE })
    .transform((text) => parseSize(text)!)
    .meta({ description, unit: 'size' })

export const address = z.string().refine((text) => parseAddress(text) !== undefined, { message: 'expected an IPv4 or IPv6 address' })

export const addresses = (description: string) =>
  z
    .union([address, z.array(address).min(1)])
    .transform((value) => (typeof value === 'string' ? [value] : value))
    .meta({ description, unit: 'address or list of addresses' })

export const port = (description: string, preset: number) => z.int().min(1).max(65535).default(preset).meta({ description })

export const label = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/, { message: 'expected a name of lower-case letters, digits and hyphens' })

/** One name or several, in order. */
export const labels = (description: string) =>
  z
    .union([label, z.array(label).min(1)], { error: 'expected a name, or a list of names' })
    .transform((value) => (typeof value === 'string' ? [value] : value))
    .meta({ description, unit: 'name or list of names' })

export const hostname = z.string().regex(/^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, { message: 'expected a host name in lower case, without a final dot' })

export const named = <T extends z.ZodType>(value: T, description: string) => z.record(label, value).default({}).meta({ description })

export const perSecond = (description: string, preset: number) => z.int().min(0).max(100_000).default(preset).meta({ description: `${description}; 0: not limited` })

export const prefix = z.string().refine((text) => parsePrefix(text) !== undefined, { message: 'expected an address or a prefix without host bits, such as 192.0.2.0/24' })

export const coordinates = z.tuple([z.number().min(-90).max(90), z.number().min(-180).max(180)]).meta({ description: 'latitude and longitude in degrees', unit: '[latitude, longitude]' })

export const place = coordinates.optional().meta({ description: 'latitude and longitude in degrees, for advice on where a shield should stand', unit: '[latitude, longitude]' })

export const region = z.string().default('').meta({ description: 'name of the cloud region, for reports and advice' })
