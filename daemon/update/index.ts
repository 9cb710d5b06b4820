// Dynamic update (RFC 2136) as values: what a message asks of a zone, whether its key may, what comes of it, and how changes
// that were made that way outlive an edit of the zone file.
//
//   parseUpdate: message bytes -> UpdateMessage | why it is malformed
//   judgeUpdate: (zone, rules, key, message) -> a rcode with its reason, and the RRsets that differ now
//   makeDraft: a zone with some RRsets put in place of its own; one over the other
//   Layer: the net of all updates over a zone file, RRset by RRset: what the file says, what is served
//   rebase: the layer of the old file over the new one -> another layer, and what could not be kept
//
// Must never know a socket, a file or a clock.
export { differences, makeDraft, type Draft, type Touched } from './draft.ts'
export { viewOfImage } from './image-view.ts'
export { judgeBatch, judgeUpdate, type Judgement, type UpdateRequest } from './judge.ts'
export { changeOf, layerKey, mergeTouched, touchedBy, type Layer } from './layer.ts'
export { parseUpdate, type Malformed, type UpdateMessage, type UpdateRecord } from './message.ts'
export { compileRules, namePatternFault, type RuleText, type Rules } from './permission.ts'
export { rebase, type Rebased } from './rebase.ts'
export { groupSets, higherSerial, keyOf, nextSerial, sameSet, setOf, soaOf, type RRset, type ZoneView } from './rrset.ts'
