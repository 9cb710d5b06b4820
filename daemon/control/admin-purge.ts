import { z } from 'zod'
import { LONGEST_TAG, type PurgeOrder } from '../../core/purge.ts'
import { suggestion } from '../../core/suggest.ts'
import { refuse, type Control, type Reply } from './admin-call.ts'

/** `what`: a URL, or one that ends in `*`; or a tag. */
export const purged = z.strictObject({ what: z.string().min(1).max(16_384), isTag: z.boolean().default(false), soft: z.boolean().default(false) })

/** Has every cache of this fleet drop what is named, and answers when they have. */
export async function purge({ what, isTag, soft }: z.output<typeof purged>, control: Control): Promise<Reply> {
  const order = isTag ? tagOrder(what, soft) : urlOrder(what, soft, control)
  if (typeof order === 'string') return refuse(400, order)
  control.log.info({ kind: order.kind, what: order.what, soft }, 'purge')
  const told = await control.fleet.purge(order)
  return typeof told === 'string' ? refuse(502, told) : { status: 200, body: { ...told, kind: order.kind, what: order.what } }
}

function tagOrder(tag: string, soft: boolean): PurgeOrder | string {
  if (!/^[\x21-\x2b\x2d-\x7e]([\x20-\x2b\x2d-\x7e]*[\x21-\x2b\x2d-\x7e])?$/.test(tag) || tag.length > LONGEST_TAG) return `a tag is printable ASCII without commas, ${LONGEST_TAG} characters at most`
  return { kind: 'tag', what: tag, soft }
}

function urlOrder(text: string, soft: boolean, { setup }: Control): PurgeOrder | string {
  const match = /^(?:https?:\/\/)?([^/?#*]+)([/?][^#]*)?$/i.exec(text)
  if (match === null) return `${text}: expected a URL such as https://www.example.org/logo.png, or a prefix such as https://www.example.org/images/*`
  const host = match[1]!.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '')
  // An empty path is `/` (RFC 9110 §4.2.3).
  const target = match[2]?.startsWith('/') === true ? match[2] : `/${match[2] ?? ''}`
  if (!/^[\x21-\x7e]+$/.test(target)) return `${target}: what is no visible ASCII stands percent-encoded in a URL`
  const { distributions, domain } = setup.config
  const names = new Map(Object.entries(distributions).flatMap(([id, { aliases }]) => [`${id}.${domain}`, ...aliases].map((name): [string, string] => [name, id])))
  const distribution = names.get(host)
  if (distribution === undefined) {
    const hint = suggestion(host, [...names.keys()])
    return `no distribution has the name ${host}${hint === undefined ? '' : ` (${hint})`}`
  }
  const star = target.indexOf('*')
  if (star >= 0 && star < target.length - 1) return `${target}: * may only stand at the end; an asterisk of the URL itself is written %2A`
  return star < 0 ? { kind: 'url', what: `${distribution} ${target}`, soft } : { kind: 'prefix', what: `${distribution} ${target.slice(0, -1)}`, soft }
}
