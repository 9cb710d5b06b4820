import { nameToText, TYPE } from '../wire/index.ts'
import { FLAG, isStale, NODE, nodeWord, RRSET, rrsetWord, TYPE_ALIAS, TYPE_ROUTE, type ZoneImage } from '../zone/index.ts'

/**
 * Every name that a policy steers, in lower case with its final dot, and the policy: names with a ROUTE record, and aliases
 * that lead to one. Walks all nodes, so not while others wait.
 */
export function steeredNames(image: ZoneImage): Map<string, string> {
  const routed: [string, string][] = []
  const aliases: [string, string][] = []
  for (let node = 1; node < image.nodeCount; node++) {
    const flags = nodeWord(image, node, NODE.SHAPE)
    if ((flags & (FLAG.ROUTE | FLAG.CNAME | FLAG.ALIAS)) === 0 || isStale(image, node)) continue
    const name = nameToText(image.bytes, nodeWord(image, node, NODE.NAME))
    if ((flags & FLAG.ROUTE) !== 0) {
      const policy = rdataAt(image, node, TYPE_ROUTE)
      if (policy !== undefined) routed.push([name, Buffer.from(policy).toString('latin1')])
      continue
    }
    const target = rdataAt(image, node, (flags & FLAG.CNAME) !== 0 ? TYPE.CNAME : TYPE_ALIAS)
    if (target !== undefined) aliases.push([name, nameToText(target).toLowerCase()])
  }
  return withAliases(routed, aliases)
}

/** Names with their policies, and the aliases that lead to them. */
export function withAliases(routed: readonly (readonly [string, string])[], aliases: readonly (readonly [string, string])[]): Map<string, string> {
  const names = new Map(routed)
  const targets = new Map(aliases)
  for (const [alias] of aliases) {
    let name = targets.get(alias)
    for (let hops = 0; name !== undefined && hops < 16; hops++) {
      const policy = names.get(name)
      if (policy !== undefined) names.set(alias, policy)
      name = policy === undefined ? targets.get(name) : undefined
    }
  }
  return names
}

function rdataAt(image: ZoneImage, node: number, type: number): Uint8Array | undefined {
  const stop = nodeWord(image, node + 1, NODE.RRSETS)
  for (let rrset = nodeWord(image, node, NODE.RRSETS); rrset < stop; rrset++) {
    if ((rrsetWord(image, rrset, RRSET.TYPE) & 0xffff) !== type) continue
    const at = rrsetWord(image, rrset, RRSET.DATA) + 2
    return image.bytes.slice(at, at - 2 + rrsetWord(image, rrset, RRSET.LENGTH))
  }
  return undefined
}
