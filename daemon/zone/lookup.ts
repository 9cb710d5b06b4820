import { TYPE, type ScannedName } from '../wire/index.ts'
import { findNode, findRrset, FLAG, NODE, nodeWord, type ZoneImage } from './image.ts'
import { TYPE_ALIAS, TYPE_ROUTE } from './record.ts'

/** Where a name stands, whatever type is asked for. */
export type Standing =
  /** No zone of ours holds it. */
  | 'not ours'
  /** `node` is the name. */
  | 'exact'
  /** `node` is the wildcard that stands for the name (RFC 4592 §3.3.1). */
  | 'wildcard'
  /** `node` is the zone cut at or above the name. */
  | 'delegation'
  /** `node` owns the DNAME above the name. */
  | 'dname'
  /** The name does not exist; `node` is its zone's apex. */
  | 'nxdomain'
  /** The zone above, asked for the DS of a zone we serve, knows no such name; `node` is its apex. */
  | 'undelegated'

/** What a zone says of a name and a type. */
export type Outcome = 'not ours' | 'found' | 'nodata' | 'nxdomain' | 'delegation' | 'cname' | 'dname' | 'routed' | 'alias'

/** What `locate` and `lookup` found. One is filled again and again. */
export interface Finding {
  standing: Standing
  outcome: Outcome
  /** The node that answers; what it is depends on `standing`. */
  node: number
  /** The RRset that answers: of the type asked for, or the CNAME, DNAME, ROUTE, ALIAS or NS that stands in its way. -1: none. */
  rrset: number
  /** Labels that every name with this finding has in common, counted from the root; all of them when the standing is `exact`. */
  shared: number
}

export function makeFinding(): Finding {
  return { standing: 'not ours', outcome: 'not ours', node: 0, rrset: -1, shared: 0 }
}

/** Finds where `name` stands among the zones of the image (RFC 1034 §4.3.2, 4592, 6672, 8020). DS belongs to the upper side of a cut (RFC 4035 §3.1.4.1). */
export function locate(image: ZoneImage, name: ScannedName, type: number, finding: Finding): void {
  const { labels } = name
  let label = labels > image.deepest ? labels - image.deepest : 0
  let node = findNode(image, name, label)
  while (node === 0 && label < labels) node = findNode(image, name, ++label)
  if (node === 0) return found(finding, 'not ours', 0, 0)
  if (label === 0) locateExact(image, name, node, type, finding)
  else locateBelow(image, node, labels - label, finding)
}

/** The name itself does not exist: `node`, its closest encloser, says what does (RFC 4592 §3.3.1). */
function locateBelow(image: ZoneImage, node: number, labels: number, finding: Finding): void {
  const shape = nodeWord(image, node, NODE.SHAPE)
  const hidden = (shape & FLAG.APEX) === 0 ? nodeWord(image, node, NODE.ABOVE) : 0
  const above = hidden !== 0 ? hidden : (shape & (FLAG.CUT | FLAG.DNAME)) !== 0 ? node : 0
  if (above !== 0) return foundAbove(image, above, finding)
  const wild = nodeWord(image, node, NODE.WILD)
  if (wild !== 0) found(finding, 'wildcard', wild, labels)
  else found(finding, 'nxdomain', nodeWord(image, node, NODE.APEX), labelsOf(image, nodeWord(image, node, NODE.APEX)))
}

function locateExact(image: ZoneImage, name: ScannedName, node: number, type: number, finding: Finding): void {
  const { labels } = name
  const shape = nodeWord(image, node, NODE.SHAPE)
  const above = nodeWord(image, node, NODE.ABOVE)
  if ((shape & FLAG.APEX) === 0) {
    if (above !== 0) foundAbove(image, above, finding)
    else found(finding, (shape & FLAG.CUT) !== 0 && type !== TYPE.DS ? 'delegation' : 'exact', node, labels)
  } else if (type !== TYPE.DS) found(finding, 'exact', node, labels)
  else if (above !== 0) locateExact(image, name, above, type, finding)
  else {
    // The zone above, where we serve one, has no such name. It exists all the same: were that denied, so were all beneath (RFC 8020 §2).
    let label = 1
    let encloser = 0
    while (encloser === 0 && label <= labels) encloser = findNode(image, name, label++)
    if (encloser === 0) return found(finding, 'exact', node, labels)
    locateBelow(image, encloser, labels - label + 1, finding)
    const apex = nodeWord(image, encloser, NODE.APEX)
    if (finding.standing === 'nxdomain' || finding.standing === 'wildcard') found(finding, 'undelegated', apex, labelsOf(image, apex))
  }
}

function foundAbove(image: ZoneImage, node: number, finding: Finding): void {
  const isCut = (nodeWord(image, node, NODE.SHAPE) & FLAG.CUT) !== 0
  found(finding, isCut ? 'delegation' : 'dname', node, labelsOf(image, node))
}

function labelsOf(image: ZoneImage, node: number): number {
  return nodeWord(image, node, NODE.SHAPE) >>> 24
}

function found(finding: Finding, standing: Standing, node: number, shared: number): void {
  finding.standing = standing
  finding.node = node
  finding.shared = shared
  finding.rrset = -1
}

/** What the zone says to `type` at the name, once it has been located. */
export function judge(image: ZoneImage, type: number, finding: Finding): void {
  const { standing, node } = finding
  if (standing === 'not ours' || standing === 'nxdomain') settle(finding, standing, -1)
  else if (standing === 'undelegated') settle(finding, 'nodata', -1)
  else if (standing === 'delegation') settle(finding, 'delegation', findRrset(image, node, TYPE.NS))
  else if (standing === 'dname') settle(finding, 'dname', findRrset(image, node, TYPE.DNAME))
  else judgeNode(image, node, type, finding)
}

function judgeNode(image: ZoneImage, node: number, type: number, finding: Finding): void {
  const flags = nodeWord(image, node, NODE.SHAPE)
  const isAddress = type === TYPE.A || type === TYPE.AAAA
  const rrset = type === TYPE_ROUTE || type === TYPE_ALIAS ? -1 : findRrset(image, node, type)
  if (rrset >= 0) settle(finding, 'found', rrset)
  else if ((flags & FLAG.CNAME) !== 0) settle(finding, 'cname', findRrset(image, node, TYPE.CNAME))
  else if (isAddress && (flags & FLAG.ROUTE) !== 0) settle(finding, 'routed', findRrset(image, node, TYPE_ROUTE))
  else if (isAddress && (flags & FLAG.ALIAS) !== 0) settle(finding, 'alias', findRrset(image, node, TYPE_ALIAS))
  else settle(finding, 'nodata', -1)
}

function settle(finding: Finding, outcome: Outcome, rrset: number): void {
  finding.outcome = outcome
  finding.rrset = rrset
}

/** `locate` and `judge` in one: everything the zones say to a name and a type. */
export function lookup(image: ZoneImage, name: ScannedName, type: number, finding: Finding): void {
  locate(image, name, type, finding)
  judge(image, type, finding)
}
