import { FLAG, isStale, NODE, nodeWord, RRSET, rrsetWord, TYPE_ROUTE, type ZoneImage } from '../zone/index.ts'
import { nameToText } from '../wire/index.ts'

/** Every name that a policy steers, in lower case with its final dot, and the policy: by walking all nodes, so not while others wait. */
export function steeredNames(image: ZoneImage): Map<string, string> {
  const names = new Map<string, string>()
  for (let node = 1; node < image.nodeCount; node++) {
    if ((nodeWord(image, node, NODE.SHAPE) & FLAG.ROUTE) === 0 || isStale(image, node)) continue
    const policy = policyAt(image, node)
    if (policy !== undefined) names.set(nameToText(image.bytes, nodeWord(image, node, NODE.NAME)), policy)
  }
  return names
}

function policyAt(image: ZoneImage, node: number): string | undefined {
  const stop = nodeWord(image, node + 1, NODE.RRSETS)
  for (let rrset = nodeWord(image, node, NODE.RRSETS); rrset < stop; rrset++) {
    if ((rrsetWord(image, rrset, RRSET.TYPE) & 0xffff) !== TYPE_ROUTE) continue
    const at = rrsetWord(image, rrset, RRSET.DATA) + 2
    return Buffer.from(image.bytes.slice(at, at - 2 + rrsetWord(image, rrset, RRSET.LENGTH))).toString('latin1')
  }
  return undefined
}
