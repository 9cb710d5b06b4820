import { z } from 'zod'
import { parsePrefix } from './address.ts'
import { address, label, port } from './config-values.ts'

const keyName = z.string().regex(/^[^\s.]+(\.[^\s.]+)*\.?$/, { message: 'expected the name of a key, as it stands in its file' }).transform((text) => text.toLowerCase().replace(/\.$/, ''))

const place = z.string().refine((text) => /^[A-Z]{2}$/.test(text) || parsePrefix(text) !== undefined, { message: 'expected a country code of two capital letters, such as KR, an address or a prefix' })

export const peer = z.strictObject({
  address: address.meta({ description: 'where it answers, and where its messages come from' }),
  port: port('port on which it answers', 53),
  key: keyName.optional().meta({ description: 'key that signs all that is said between it and us; absent: nothing is signed', unit: 'name of a key' }),
  place: place.optional().meta({ description: 'where it is: transfers to it hold what steered names answer there; absent: `geo.local`', unit: 'country code, address or prefix' })
})

const ACCESS = 'expected the name of a peer, an address, a prefix, or key:NAME'

const access = z
  .string({ error: ACCESS })
  .refine((text) => parsePrefix(text) !== undefined || /^key:[^\s.]+(\.[^\s.]+)*\.?$/.test(text) || label.safeParse(text).success, { message: ACCESS })
  .transform((text) => (text.startsWith('key:') ? text.toLowerCase().replace(/\.$/, '') : text))

const updateRule = z.strictObject({
  key: keyName.meta({ description: 'key that must sign the update', unit: 'name of a key' }),
  names: z.array(z.string().min(1)).min(1).optional().meta({ description: 'names it may change, relative to the zone or with a final dot; the label `*` stands for one or more labels; absent: every name' }),
  types: z.array(z.string().regex(/^[A-Za-z][A-Za-z0-9]*$/, { message: 'expected a record type such as TXT' })).min(1).optional().meta({ description: 'types it may change, `ANY` for all; absent: every type but SOA, NS and those of DNSSEC' })
})

export const zone = z.strictObject({
  'allow-transfer': z.array(access).default([]).meta({ description: 'who may have the zone (AXFR, IXFR): peers, addresses, prefixes, `key:NAME`', unit: 'list of peers, addresses, prefixes and keys' }),
  notify: z.array(label).default([]).meta({ description: 'peers that are told when the zone changes (NOTIFY)', unit: 'list of peers' }),
  'allow-update': z.array(updateRule).default([]).meta({ description: 'who may change the zone (dynamic update)' }),
  serial: z.enum(['file', 'auto']).default('file').meta({ description: '`auto`: the serial rises by itself when the file changes without a new one' }),
  primaries: z.array(label).min(1).optional().meta({ description: 'a secondary zone: the peers it is transferred from; it has no file', unit: 'list of peers' })
})

export const zoneName = z
  .string()
  .regex(/^(?=.{1,254}$)(\.|[^\s.]{1,63}(\.[^\s.]{1,63})*\.?)$/, { message: 'expected the name of a zone such as example.org' })
  .transform((text) => (text === '.' ? text : text.toLowerCase().replace(/\.$/, '')))
