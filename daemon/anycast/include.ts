import type { Announcement } from './types.ts'

// The file that bird.conf includes: the prefixes as static routes, and a filter that lets these out and nothing else.

export interface Route {
  readonly prefix: string
  readonly state: Announcement
}

export interface Demotion {
  readonly prepends: number
  readonly med?: number | undefined
  readonly communities: readonly string[]
}

/** What the whole text depends on. */
export interface IncludeOptions {
  readonly asn: number
  readonly demotion: Demotion
}

/** Names of what the include defines, which bird.conf may use. */
export const NAMES = { static4: 'nearcast4', static6: 'nearcast6', filter: 'nearcast', demote: 'nearcast_demote' } as const

/** The text of the include. The same routes give the same text, whatever their order. */
export function renderInclude(routes: readonly Route[], { asn, demotion }: IncludeOptions): string {
  const out = routes.filter(({ state }) => state !== 'withdrawn').toSorted((a, b) => (a.prefix < b.prefix ? -1 : 1))
  const demoted = out.filter(({ state }) => state === 'demoted')
  const family = (prefix: string): 4 | 6 => (prefix.includes(':') ? 6 : 4)
  const statics = ([4, 6] as const).map((each) => {
    const own = out.filter(({ prefix }) => family(prefix) === each).map(({ prefix }) => `  route ${prefix} blackhole;\n`)
    return `protocol static nearcast${each} {\n  ipv${each};\n${own.join('')}}\n`
  })
  const acts = demotionLines(asn, demotion).map((line) => `    ${line}\n`).join('')
  const tests = demoted.map(({ prefix }) => `  if net = ${prefix} then {\n${acts}  }\n`)
  return `# Written by Nearcast, which undoes what is changed here.
${statics.join('')}function ${NAMES.demote}()
{
${tests.join('')}}
filter ${NAMES.filter} {
  if proto != "${NAMES.static4}" && proto != "${NAMES.static6}" then reject;
  ${NAMES.demote}();
  accept;
}
`
}

function demotionLines(asn: number, { prepends, med, communities }: Demotion): string[] {
  return [
    ...Array.from({ length: prepends }, () => `bgp_path.prepend(${asn});`),
    ...(med === undefined ? [] : [`bgp_med = ${med};`]),
    ...communities.map((text) => {
      const parts = text.split(':').join(', ')
      return text.split(':').length === 3 ? `bgp_large_community.add((${parts}));` : `bgp_community.add((${parts}));`
    })
  ]
}
