// Golden cases as text: a stage (zones, policies, edges, places), then what happens and what is asked on it.
//
//   zone NAME / policies        the indented lines below are the file's
//   networks                    the indented lines below stand beside the policies
//   edge NAME ADDRESS… [LATITUDE LONGITUDE]
//   place PREFIX COUNTRY CONTINENT LATITUDE LONGITUDE
//   cookies on|enforced SECONDS SECRET…      what the clock says, and the secrets in hexadecimal; without, cookies are off
//   down|up|suspect|drain EDGE  before the questions or between them
//   query TYPE NAME [rd] [do] [edns] [size=N] [version=N] [subnet=PREFIX] [nsid] [cookie=HEX] [option=CODE:HEX] [keepalive] [padding] [from=ADDRESS] [tcp|tls] [class=CH]
//   packet HEX [tcp]            octets as they are, blanks ignored
//
// The indented lines below a question are the whole reply, as `replyLines` says it; `counters` lines name those that must have moved by so much.

export interface Question {
  readonly kind: 'query' | 'packet'
  readonly words: readonly string[]
  readonly expected: readonly string[]
  readonly counters: ReadonlyMap<string, number>
  readonly line: number
}

export interface Change {
  readonly kind: 'health'
  readonly state: 'down' | 'up' | 'suspect' | 'drain'
  readonly edge: string
}

export interface Case {
  readonly about: string
  readonly zones: readonly { name: string; text: string }[]
  readonly policies: string
  readonly edges: readonly string[][]
  readonly places: readonly string[][]
  readonly cookies?: { readonly isEnforced: boolean; readonly seconds: number; readonly secrets: readonly Uint8Array[] }
  readonly steps: readonly (Question | Change)[]
}

interface Block {
  readonly line: number
  readonly head: string
  readonly body: string[]
}

/** Reads a case; throws at a line that is none. */
export function readCase(file: string, text: string): Case {
  const blocks: Block[] = []
  const about: string[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith('; ') && blocks.length === 0) about.push(line.slice(2))
    else if (line.startsWith('    ')) blocks.at(-1)!.body.push(line.slice(4))
    else if (line.trim() !== '' && !line.startsWith(';')) blocks.push({ line: index + 1, head: line, body: [] })
  }
  const found = { about: about.join(' '), zones: [] as { name: string; text: string }[], policies: '', edges: [] as string[][], places: [] as string[][], cookies: undefined as Case['cookies'], networks: '', steps: [] as (Question | Change)[] }
  for (const { line, head, body } of blocks) {
    const [word, ...words] = head.split(/\s+/)
    switch (word) {
      case 'zone': found.zones.push({ name: words[0]!, text: `${body.join('\n')}\n` }); break
      case 'policies': found.policies = `policies:\n${body.map((each) => `  ${each}\n`).join('')}`; break
      case 'networks': found.networks = `networks:\n${body.map((each) => `  ${each}\n`).join('')}`; break
      case 'edge': found.edges.push(words); break
      case 'place': found.places.push(words); break
      case 'cookies': found.cookies = { isEnforced: words[0] === 'enforced', seconds: Number(words[1]), secrets: words.slice(2).map((hex) => Buffer.from(hex, 'hex')) }; break
      case 'down': case 'up': case 'suspect': case 'drain': found.steps.push({ kind: 'health', state: word, edge: words[0]! }); break
      case 'query': case 'packet': found.steps.push({ kind: word, words, ...readExpected(body), line }); break
      default: throw new Error(`${file}:${line}: ${word}?`)
    }
  }
  const { cookies, networks, ...others } = found
  const rest = { ...others, policies: others.policies + networks }
  return cookies === undefined ? rest : { ...rest, cookies }
}

function readExpected(body: readonly string[]): { expected: string[]; counters: Map<string, number> } {
  const expected = body.filter((line) => !line.startsWith('counters '))
  const counted = body.filter((line) => line.startsWith('counters ')).flatMap((line) => line.slice(9).split(','))
  return { expected: expected.map((line) => line.replace(/\s+/g, ' ').trim()), counters: new Map(counted.map((each) => [each.trim().replace(/ \d+$/, ''), Number(/\d+$/.exec(each)![0])])) }
}
