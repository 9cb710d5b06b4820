import { isSubdomain, nameLength, scanName, type ScannedName } from '../wire/index.ts'
import { flagOf, hiddenBelow, type Built, type Room } from './build-image.ts'
import type { OwnerAfter, RrsetAfter } from './change-owners.ts'
import { nameKey } from './change-owners.ts'
import { findNode, FLAG, NODE, nodeWord, RRSET, rrsetWord } from './image.ts'
import { setMove, setName, setStale, type Overlay } from './overlay.ts'
import { eachNode, type ZoneSource } from './zone-source.ts'

/** An image that is being changed. Each function returns false when it cannot go on, and then the draft is spent. */
export interface Draft {
  readonly built: Built
  readonly overlay: Overlay
  readonly name: ScannedName
  readonly other: ScannedName
  /** How others refer to a node: by the first that stood for its name. Nodes that are it themselves are not there. */
  readonly homes: Map<number, number>
  /** Nodes from here on are known to nobody else yet, and may be written to. */
  published: number
  readonly used: Room
  /** Origins of the zones. */
  readonly origins: Map<string, Uint8Array>
}

const word = ({ overlay: { image } }: Draft, node: number, each: number): number => image.words[image.nodes + node * NODE.WORDS + each]!

const setWord = ({ overlay: { image } }: Draft, node: number, each: number, value: number): void => {
  image.words[image.nodes + node * NODE.WORDS + each] = value
}

const isRoot = (draft: Draft, node: number): boolean => (word(draft, node, NODE.SHAPE) & FLAG.APEX) !== 0

const homeOf = ({ homes }: Draft, node: number): number => homes.get(node) ?? node

/** Gives owners what they are to have: what goes goes from below upwards, what comes comes from above downwards. */
export function editOwners(draft: Draft, origin: Uint8Array, owners: Iterable<OwnerAfter>): boolean {
  const { image } = draft.overlay
  scanName(origin, 0, origin.length, draft.name)
  const apex = findNode(image, draft.name, 0)
  if (apex === 0 || !isRoot(draft, apex)) return false
  const home = homeOf(draft, apex)
  const depth = ({ owner }: OwnerAfter): number => labelsOf(owner)
  const all = [...owners]
  const gone = all.filter(({ rrsets }) => rrsets.length === 0).sort((a, b) => depth(b) - depth(a))
  const there = all.filter(({ rrsets }) => rrsets.length > 0).sort((a, b) => depth(a) - depth(b))
  return gone.every(({ owner }) => setOwner(draft, home, owner, [])) && there.every(({ owner, rrsets }) => setOwner(draft, home, owner, rrsets))
}

function labelsOf(name: Uint8Array): number {
  let labels = 0
  for (let at = 0; name[at]! > 0; at += name[at]! + 1) labels++
  return labels
}

function setOwner(draft: Draft, home: number, owner: Uint8Array, rrsets: readonly RrsetAfter[]): boolean {
  const { name, overlay: { image }, built } = draft
  scanName(owner, 0, owner.length, name)
  const node = findNode(image, name, 0)
  if (node === 0) return rrsets.length === 0 || addOwner(draft, home, owner, rrsets)
  // What lies beneath or at a lower zone stands outside the table.
  if (word(draft, node, NODE.APEX) !== home) return false
  const before = word(draft, node, NODE.SHAPE)
  if (rrsets.length === 0 && built.children[node] === 0 && !isRoot(draft, node)) return removeName(draft, node, 0)
  const made = replaceNode(draft, node, 0, rrsets)
  if (made === 0) return false
  const hides = FLAG.CUT | FLAG.DNAME
  return ((before ^ word(draft, made, NODE.SHAPE)) & hides) === 0 || built.children[made] === 0 || hideAnew(draft, made)
}

/** Makes the owner's node and all that are missing above it. */
function addOwner(draft: Draft, home: number, owner: Uint8Array, rrsets: readonly RrsetAfter[]): boolean {
  const { name, overlay: { image }, built } = draft
  let label = 0
  let parent = 0
  while (parent === 0 && label < name.labels) parent = findNode(image, name, ++label)
  if (parent === 0 || word(draft, parent, NODE.APEX) !== home) return false
  while (label > 0) {
    label--
    const made = addNode(draft, name, label, label === 0 ? owner : undefined, label === 0 ? rrsets : [], 0)
    if (made === 0) return false
    setWord(draft, made, NODE.APEX, home)
    setWord(draft, made, NODE.ABOVE, hiddenBelow(image.words, image.nodes + parent * NODE.WORDS, homeOf(draft, parent)))
    setName(draft.overlay, name, label, made)
    built.children[parent]!++
    if (isWildcard(name, label)) {
      const above = writable(draft, parent, label + 1)
      if (above === 0) return false
      setWord(draft, above, NODE.WILD, made)
    }
    parent = made
  }
  return true
}

const isWildcard = ({ lower, starts }: ScannedName, label: number): boolean => lower[starts[label]!] === 1 && lower[starts[label]! + 1] === 0x2a

/** The scanned name's suffix from `label` is no more, and nothing above it that existed for its sake. */
function removeName(draft: Draft, node: number, label: number): boolean {
  const { name, overlay, built } = draft
  setName(overlay, name, label, -node)
  setStale(overlay, node)
  overlay.image.records -= recordsOf(draft, node)
  const parent = findNode(overlay.image, name, label + 1)
  built.children[parent]!--
  const isBare = word(draft, parent, NODE.RRSETS) === word(draft, parent + 1, NODE.RRSETS) && built.children[parent] === 0
  if (isBare && !isRoot(draft, parent)) return removeName(draft, parent, label + 1)
  if (!isWildcard(name, label)) return true
  const above = writable(draft, parent, label + 1)
  if (above !== 0) setWord(draft, above, NODE.WILD, 0)
  return above !== 0
}

/** The node itself where nobody has seen it, else another that stands for it; 0 when there is no room. */
function writable(draft: Draft, node: number, label: number): number {
  return node >= draft.published ? node : replaceNode(draft, node, label, keptRrsets(draft, node))
}

function keptRrsets({ overlay: { image } }: Draft, node: number): RrsetAfter[] {
  const kept: RrsetAfter[] = []
  const stop = nodeWord(image, node + 1, NODE.RRSETS)
  for (let rrset = nodeWord(image, node, NODE.RRSETS); rrset < stop; rrset++) {
    const shape = rrsetWord(image, rrset, RRSET.TYPE)
    kept.push({ type: shape & 0xffff, ttl: rrsetWord(image, rrset, RRSET.TTL), kept: rrset, count: shape >>> 16 })
  }
  return kept
}

function recordsOf({ overlay: { image } }: Draft, node: number): number {
  let records = 0
  const stop = nodeWord(image, node + 1, NODE.RRSETS)
  for (let rrset = nodeWord(image, node, NODE.RRSETS); rrset < stop; rrset++) records += rrsetWord(image, rrset, RRSET.TYPE) >>> 16
  return records
}

/** A node of the same name with other RRsets in its place; the name's suffix from `label` must be scanned. 0 when there is no room. */
function replaceNode(draft: Draft, node: number, label: number, rrsets: readonly RrsetAfter[]): number {
  const { name, overlay, built } = draft
  const records = recordsOf(draft, node)
  const made = addNode(draft, name, label, undefined, rrsets, node)
  if (made === 0) return 0
  for (const each of [NODE.APEX, NODE.ABOVE, NODE.WILD]) setWord(draft, made, each, word(draft, node, each))
  if (isRoot(draft, node)) setWord(draft, made, NODE.SHAPE, (word(draft, made, NODE.SHAPE) | FLAG.APEX) & ~FLAG.CUT)
  built.children[made] = built.children[node]!
  const home = homeOf(draft, node)
  draft.homes.set(made, home)
  draft.homes.delete(node)
  setMove(overlay, home, made)
  setStale(overlay, node)
  setName(overlay, name, label, made)
  overlay.image.records -= records
  return made
}

/**
 * Adds a node behind the others. Its name is that of `like`, if not 0, else the scanned name's suffix from `label`, shown as `owner` says.
 * @returns its number; 0 when there is no room
 */
function addNode(draft: Draft, name: ScannedName, label: number, owner: Uint8Array | undefined, rrsets: readonly RrsetAfter[], like: number): number {
  const { overlay: { image }, used, built } = draft
  const start = name.starts[label]!
  const length = name.length - start
  const octets = (like === 0 ? length * 2 : 0) + rrsets.reduce((sum, { rdata = [] }) => sum + rdata.reduce((all, each) => all + 2 + each.length, 0), 0)
  if (used.nodes + 1 > built.limit.nodes || used.rrsets + rrsets.length > built.limit.rrsets || used.heap + octets > built.limit.heap) return 0
  const node = used.nodes++
  image.nodeCount = used.nodes
  let flags = 0
  setWord(draft, node, NODE.RRSETS, used.rrsets)
  if (like === 0) {
    const at = append(draft, name.lower, start, name.length)
    setWord(draft, node, NODE.NAME, at)
    setWord(draft, node, NODE.SHOWN, owner === undefined || isLower(owner, name) ? at : append(draft, owner, 0, owner.length))
    image.deepest = Math.max(image.deepest, name.labels - label)
  } else {
    setWord(draft, node, NODE.NAME, word(draft, like, NODE.NAME))
    setWord(draft, node, NODE.SHOWN, word(draft, like, NODE.SHOWN))
  }
  for (const rrset of rrsets) {
    addRrset(draft, rrset)
    flags |= flagOf(rrset.type)
    image.records += rrset.count
  }
  setWord(draft, node, NODE.SHAPE, (length << 16) | ((name.labels - label) << 24) | flags)
  for (const each of [NODE.APEX, NODE.ABOVE, NODE.WILD]) setWord(draft, node, each, 0)
  // What the RRsets of the last node end at is said by the word behind it.
  setWord(draft, used.nodes, NODE.RRSETS, used.rrsets)
  return node
}

function isLower(owner: Uint8Array, { lower }: ScannedName): boolean {
  return owner.every((octet, at) => octet === lower[at])
}

function append({ built, used, overlay: { image } }: Draft, from: Uint8Array, start: number, end: number): number {
  const at = built.heap + used.heap
  image.bytes.set(from.subarray(start, end), at)
  used.heap += end - start
  return at
}

function addRrset(draft: Draft, { type, ttl, rdata, kept, count }: RrsetAfter): void {
  const { overlay: { image }, used, built } = draft
  const base = image.rrsets + used.rrsets++ * RRSET.WORDS
  const start = built.heap + used.heap
  for (const each of rdata ?? []) {
    append(draft, Uint8Array.of(each.length >>> 8, each.length & 0xff), 0, 2)
    append(draft, each, 0, each.length)
  }
  image.words[base + RRSET.TYPE] = type | (count << 16)
  image.words[base + RRSET.TTL] = ttl
  image.words[base + RRSET.DATA] = rdata === undefined ? rrsetWord(image, kept, RRSET.DATA) : start
  image.words[base + RRSET.LENGTH] = rdata === undefined ? rrsetWord(image, kept, RRSET.LENGTH) : built.heap + used.heap - start
}

/** What is beneath a node is hidden by it from now on, or no more. */
function hideAnew(draft: Draft, above: number): boolean {
  const { overlay: { image }, other } = draft
  const home = word(draft, above, NODE.APEX)
  const end = word(draft, above, NODE.NAME)
  const length = (word(draft, above, NODE.SHAPE) >>> 16) & 0xff
  const beneath: number[] = []
  scanName(image.bytes, end, image.bytes.length, other)
  const apex = nodeWord(image, above, NODE.APEX)
  eachNode(image, apex, (node) => {
    const size = (word(draft, node, NODE.SHAPE) >>> 16) & 0xff
    if (size <= length || word(draft, node, NODE.APEX) !== home) return
    const at = word(draft, node, NODE.NAME) + size - length
    for (let octet = 0; octet < length; octet++) if (image.bytes[at + octet] !== image.bytes[end + octet]) return
    if (isBelow(image.bytes, word(draft, node, NODE.NAME), size - length)) beneath.push(node)
  })
  // The names between this zone and one that lies in it are told to nobody who walks through the zone.
  const origin = image.bytes.subarray(word(draft, apex, NODE.NAME), word(draft, apex, NODE.NAME) + ((word(draft, apex, NODE.SHAPE) >>> 16) & 0xff))
  for (const lower of draft.origins.values()) if (lower.length > origin.length && isSubdomain(lower, origin)) return false
  const labels = (node: number): number => word(draft, node, NODE.SHAPE) >>> 24
  beneath.sort((a, b) => labels(a) - labels(b))
  return beneath.every((node) => hideNode(draft, node))
}

/** Whether a label ends after so many octets of the name at `at`. */
function isBelow(bytes: Uint8Array, at: number, octets: number): boolean {
  let walked = 0
  while (walked < octets) walked += bytes[at + walked]! + 1
  return walked === octets
}

function hideNode(draft: Draft, node: number): boolean {
  const { overlay: { image }, name } = draft
  const at = word(draft, node, NODE.NAME)
  scanName(image.bytes, at, image.bytes.length, name)
  // One outside the table is never asked for.
  if (findNode(image, name, 0) !== node) return true
  const parent = findNode(image, name, 1)
  const above = hiddenBelow(image.words, image.nodes + parent * NODE.WORDS, homeOf(draft, parent))
  if (above === word(draft, node, NODE.ABOVE)) return true
  const made = writable(draft, node, 0)
  if (made !== 0) setWord(draft, made, NODE.ABOVE, above)
  return made !== 0
}

/** Adds a zone that lies in no other, and no other in it. */
export function addZone(draft: Draft, source: ZoneSource): boolean {
  const { overlay, name, origins } = draft
  const { origin, octets } = source
  if (!isAlone(draft, origin)) return false
  const own = origin.slice()
  scanName(own, 0, own.length, name)
  const apex = addNode(draft, name, 0, own, [], 0)
  if (apex === 0) return false
  setWord(draft, apex, NODE.APEX, apex)
  setWord(draft, apex, NODE.SHAPE, word(draft, apex, NODE.SHAPE) | FLAG.APEX)
  setName(overlay, name, 0, apex)
  origins.set(nameKey(own), own)
  for (let each = 0; each < source.names; each++) {
    const at = source.nameAt(each)
    if (!setOwner(draft, apex, octets.subarray(at, at + nameLength(octets, at)), rrsetsOf(source, each))) return false
  }
  return true
}

function rrsetsOf(source: ZoneSource, name: number): RrsetAfter[] {
  const rrsets: { type: number; ttl: number; rdata: Uint8Array[]; kept: -1; count: number }[] = []
  source.lay(name, {
    open: (type, ttl, count) => void rrsets.push({ type, ttl, rdata: [], kept: -1, count }),
    data: (octets, from, to) => {
      for (let at = from; at < to; ) {
        const length = (octets[at]! << 8) | octets[at + 1]!
        rrsets.at(-1)!.rdata.push(octets.subarray(at + 2, at + 2 + length))
        at += 2 + length
      }
    }
  })
  return rrsets
}

function isAlone({ overlay: { image }, name, origins }: Draft, origin: Uint8Array): boolean {
  scanName(origin, 0, origin.length, name)
  for (let label = 0; label <= name.labels; label++) if (findNode(image, name, label) !== 0) return false
  for (const other of origins.values()) if (isSubdomain(other, origin)) return false
  return true
}

/** Takes away a zone that lies in no other, and no other in it. */
export function removeZone(draft: Draft, origin: Uint8Array): boolean {
  const { overlay, name, origins, homes } = draft
  const { image } = overlay
  scanName(origin, 0, origin.length, name)
  const apex = findNode(image, name, 0)
  if (apex === 0 || !isRoot(draft, apex)) return false
  for (let label = 1; label <= name.labels; label++) if (findNode(image, name, label) !== 0) return false
  const own = nameKey(origin)
  for (const [key, other] of origins) if (key !== own && isSubdomain(other, origin)) return false
  const all: number[] = []
  eachNode(image, apex, (node) => void all.push(node))
  for (const node of all) {
    const at = word(draft, node, NODE.NAME)
    scanName(image.bytes, at, image.bytes.length, name)
    image.records -= recordsOf(draft, node)
    setName(overlay, name, 0, -node)
    setStale(overlay, node)
    homes.delete(node)
  }
  origins.delete(own)
  return true
}
