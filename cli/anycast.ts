import { suggestion } from '../core/suggest.ts'
import { bind, birdConf, unbind } from './anycast-bind.ts'
import { deadman, release } from './anycast-deadman.ts'
import { explain } from './anycast-explain.ts'
import { status } from './anycast-status.ts'
import { drain, pin, unpin } from './anycast-pin.ts'
import { mistyped, type Call, type Command } from './command.ts'
import { STATE } from './folders.ts'

/** What `nearcast anycast` does, by its first word. */
const VERBS: Readonly<Record<string, { readonly takes: readonly string[]; run(call: Call, words: readonly string[]): Promise<number> }>> = {
  status: { takes: [], run: status },
  pin: { takes: ['PREFIX', 'STATE'], run: pin },
  unpin: { takes: ['[PREFIX]'], run: unpin },
  drain: { takes: ['[PREFIX]'], run: drain },
  explain: { takes: ['PREFIX'], run: explain },
  bind: { takes: [], run: bind },
  unbind: { takes: [], run: unbind },
  'bird-conf': { takes: [], run: birdConf },
  deadman: { takes: [], run: deadman },
  release: { takes: [], run: release }
}

export const anycast: Command = {
  name: 'anycast',
  summary: 'what this PoP announces and why; hold it, drain it',
  details: [
    'status              what is announced, what BIRD really sends, and what is wrong',
    'pin PREFIX STATE    hold a prefix announced, demoted or withdrawn, whatever is found out',
    'unpin [PREFIX]      let it go, or all of them; ends a drain too',
    'drain [PREFIX]      demote, wait, withdraw, settle; then this PoP may be stopped',
    'explain PREFIX      what it needs, what was found, and what may be done with it',
    'bind, unbind        put the service addresses on the loopback, and take them off (root)',
    'bird-conf           print what bird.conf includes, with nothing announced, for its first start',
    'deadman             watch the daemon, and withdraw when it is dead or hangs; up starts it',
    'release             withdraw what a crash has left announced, where no dead-man watches',
    'PREFIX is the name of a prefix in nearcast.yaml, the prefix itself, or "all".'
  ],
  arguments: [{ name: 'VERB', among: Object.keys(VERBS), completes: 'anycast' }, { name: 'WORDS', optional: true, many: true }],
  options: {
    for: { kind: 'duration', value: 'TIME', summary: 'undo it by itself after this long, such as 1h' },
    why: { kind: 'text', value: 'TEXT', summary: 'reason, shown by status' },
    force: { kind: 'flag', summary: 'even if that leaves fewer PoPs than min-pops' },
    json: { kind: 'flag', summary: 'print the reply as JSON' },
    config: { kind: 'file', value: 'FILE', summary: 'configuration of what is watched, bound or printed (default: nearcast.yaml)' },
    fleet: { kind: 'number', value: 'PID', summary: 'with deadman: end once this process is gone and all is withdrawn' },
    state: STATE
  },
  examples: ['nearcast anycast status', 'nearcast anycast pin dns4 withdrawn --for 1h --why "new router"', 'nearcast anycast drain'],
  run: async (call) => {
    const [typed, ...words] = call.positionals as [string, ...string[]]
    const verb = VERBS[typed]
    if (verb === undefined) return mistyped(call.io, `anycast has no ${typed} (${suggestion(typed, Object.keys(VERBS)) ?? `there are ${Object.keys(VERBS).join(', ')}`})`)
    const needed = verb.takes.filter((word) => !word.startsWith('['))
    const usage = ['nearcast anycast', typed, ...verb.takes].join(' ')
    if (words.length < needed.length) return mistyped(call.io, `anycast ${typed} needs ${needed[words.length]}: ${usage}`)
    if (words.length > verb.takes.length) return mistyped(call.io, `anycast ${typed} does not take ${JSON.stringify(words[verb.takes.length])}: ${usage}`)
    return verb.run(call, words)
  }
}

/** Words that may follow `nearcast anycast`, for completion. */
export const anycastVerbs: readonly string[] = Object.keys(VERBS)
