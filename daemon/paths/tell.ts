import type { PathFound, Paths } from './paths.ts'

/** What is told of an explanation here. */
interface Told {
  readonly question: { readonly from: string; readonly at?: string }
  readonly steps: readonly { readonly depth: number; readonly text: string }[]
}

/** An explanation that also says how far BIRD has the client, before the policy that decides. What is now says nothing of what was. */
export function tellPath<Explained extends Told>(explanation: Explained, paths: Pick<Paths, 'find'>): Explained & { readonly path?: PathFound } {
  const at = explanation.steps.findIndex(({ depth, text }) => depth === 0 && /^policy .* decides$/.test(text))
  if (at < 0 || explanation.question.at !== undefined) return explanation
  const path = paths.find(explanation.question.from)
  const text = path === undefined ? 'BIRD has no path to the client' : describePath(path)
  return { ...explanation, ...(path !== undefined && { path }), steps: explanation.steps.toSpliced(at, 0, { depth: 0, text }) }
}

/** `from here BIRD has 198.18.2.0/24 3 ASes away (2 without prepends), of AS64602`. */
function describePath({ prefix, path, hops, origin }: PathFound): string {
  const far = path === 0 ? 'in this AS' : `${path} ${path === 1 ? 'AS' : 'ASes'} away`
  return `from here BIRD has ${prefix} ${far}${hops === path ? '' : ` (${hops} without prepends)`}${origin === undefined ? '' : `, of AS${origin}`}`
}
