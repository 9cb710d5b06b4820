// Points of presence (PoPs): daemons that each check the same targets from where they are, tell each other, and decide together.
//
//   message.ts   the one message, signed; link.ts   what is said with one other PoP; channel.ts   with all, over connected UDP
//   states.ts    state of one kind (verdicts, forced states), as versions of entries: lost, late and doubled parts do no harm
//   sight.ts     what one vantage point sees of one target; decide.ts   what all of that comes to, purely
//   vantage.ts   (our own verdict, those of others) -> what answers go by
//
// Must never hold up a check or an answer, believe what is not signed, or say what stands in a key file.
export { checkKeyMode, keysFor, parsePopKeys, type PopKey } from './keys.ts'
export { openPops, type Pops, type PopsOptions } from './open.ts'
export type { PopStatus, PopsStatus } from './tell.ts'
export { Vantage, type VantageOptions, type Watched } from './vantage.ts'
export { leasesOf, openChannel, type Channel, type ChannelOptions, type PopView } from './channel.ts'
