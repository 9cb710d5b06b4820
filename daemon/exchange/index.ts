// Everything between servers that is not an ordinary query, in a thread of its own: transfers, NOTIFY, UPDATE, and all that is
// signed. Serving threads hand such messages over by lanes (makeGate says which), and nobody waits for the answer.
//
//   Rules (keys, peers, who may what)     Request -> a row of dispatch.ts -> messages, each made when the one before has left
//
// A new opcode or type is a file with its handler and one row of dispatch.ts. Must never hold up a serving thread.
export { Exchange, exchangePlan, type ExchangeOptions } from './exchange.ts'
export { makeGate } from './gate.ts'
export { keysNamed, makeRules, withKeys, type Peer, type Rules, type ZoneRules } from './rules.ts'
