// Cache policies: what of a request makes the key, and what of it reaches the origin; which behaviour a request falls under.
//
// makePolicies resolves what stands in nearcast.yaml, over the two sets that are always there; read reads a request by a
// policy: the target that is sent, the one that makes the key, and the other parts of the key. For a policy under which all
// reaches the origin and nothing but Vary tells responses apart there is nothing to read (`plain`).
//
// It must never know of sockets, stores, freshness or tiers.
export { fits, readConditions, type Conditions } from './conditions.ts'
export { deviceOf, type Device } from './device.ts'
export { EVERYTHING, makePolicies, type Policy } from './policy.ts'
export { BEHAVIOUR_FIELD, countryOf, deviceFor, mayReach, readCookies, readParts, readTarget, VIEWER_COUNTRY, VIEWER_DEVICE, type Facts } from './read.ts'
