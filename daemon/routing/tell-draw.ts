import { BOUND, drawFor, hashText, SLOTS, stepOf, type Draw } from './draw.ts'
import type { Node, Policies } from './tree.ts'
import type { Choice, Step, Target } from './types.ts'

/** Whose draw is told: the keys that it goes by, and what they were made from, for people. */
export interface Drawer {
  readonly client: number
  readonly name: number
  readonly told: { readonly client: string; readonly name: string }
}

/** How a choice came out for one client, of those that go by who asks. */
export interface DrawTold {
  readonly steps: readonly Step[]
  /** The targets that this client is answered with; absent where chance has the last word. */
  readonly targets?: readonly number[]
}

type Keyed = Extract<Draw, { readonly kind: 'exact' | 'bounded' }>

/** Tells each draw on the way to an answer: by what key, between whom, and whose it is. Nothing where nobody's choice goes by who asks. */
export function tellDraw({ draw, alternatives }: Choice, { nodes }: Policies, targets: readonly Target[], drawer: Drawer): DrawTold {
  if (draw === undefined) return { steps: [] }
  const steps: Step[] = []
  const namesOf = (part: Draw): string => (part.kind === 'one' ? alternatives[part.alternative]!.targets.map((target) => targets[target]!.name).join(' + ') : 'a further draw')
  let isChance = false
  const walk = (part: Draw, depth: number): void => {
    if (part.kind === 'one') return
    if (part.kind === 'random') {
      isChance = true
      const shares = part.upTo.map((upTo, index) => (upTo + 1 - (index === 0 ? 0 : part.upTo[index - 1]! + 1)) / 0x100000000)
      steps.push({ depth, text: `drawn at random: ${part.of.map((each, index) => `${namesOf(each)} ${percent(shares[index]!)}`).join(', ')}` })
      for (const each of part.of) walk(each, depth + 1)
      return
    }
    const node = nodes.find(({ label, sticky }) => sticky !== undefined && hashText(label) === part.seed)
    const arms = part.ids.map((id) => armOf(node, id))
    const taken = stepOf(part, drawer.client, drawer.name)
    const between = arms.map((arm, index) => `${arm} ${percent(sharesOf(part)[index]!)}`).join(', ')
    const ways = part.kind === 'exact' ? `rendezvous hashing by weight between ${between}` : `consistent hashing between ${between} (none over ${BOUND} times its share)`
    steps.push({ depth, text: `${drawer.told[part.by]} draws ${arms[taken]} at ${node?.label ?? 'a node'}: ${ways}` })
    walk(part.of[taken]!, depth + 1)
  }
  walk(draw, 0)
  return { steps, ...(!isChance && { targets: alternatives[drawFor(draw, drawer.client, drawer.name, () => 0)]!.targets }) }
}

const armOf = (node: Node | undefined, id: number): string => node?.arms.find(({ key }) => hashText(key) === id)?.key ?? 'a branch'

/** What part of all keys each branch has. */
function sharesOf(part: Keyed): number[] {
  if (part.kind === 'bounded') return part.of.map((_, branch) => part.slots.filter((each) => each === branch).length / SLOTS)
  const sum = part.weights.reduce((total, weight) => total + weight, 0)
  return part.weights.map((weight) => weight / sum)
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`
