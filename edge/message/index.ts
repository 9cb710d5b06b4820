// What the messages of HTTP have in common: lists of fields and dates (RFC 9110 §5, §6).
//
// A FieldList is name and value in turn, as received. Everything here is a pure function of its arguments.
//
// It must never know of sockets, caching or tiers.
export { formatHttpDate, parseHttpDate } from './date.ts'
export { fieldOf, filterFields, flat, fromLines, hopByHop, listMembers, toLines, type FieldList } from './fields.ts'
export { acceptedCodings, CODINGS, normalEncoding, type Coding } from './codings.ts'
