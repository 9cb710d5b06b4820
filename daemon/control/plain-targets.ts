import { formatAddress } from '../../core/address.ts'
import type { Check } from '../../core/config-checks.ts'
import { freshWord, planCheck, type Checker, type CheckTarget, type HealthTable } from '../../healthchecks/index.ts'
import { checkedName, type RoutingImage, type Target } from '../routing/index.ts'

/** The targets of policies that are no edges and have a check: each has a word of the health table as long as a policy names it. */
export interface PlainTargets {
  /** Takes over the targets of policies that are about to be in service, those of all or of a view: begins and ends checks, and tells each target its word. */
  adopt(image: RoutingImage, view?: string): RoutingImage
  /** `web@192.0.2.7`: its check and what it is. */
  readonly names: readonly string[]
  /** The word of such a name. */
  wordOf(name: string): number | undefined
}

export interface PlainTargetsOptions {
  readonly checks: Readonly<Record<string, Check>>
  readonly table: HealthTable
  /** The words before it belong to edges. */
  readonly firstWord: number
  readonly checker: Pick<Checker, 'add' | 'remove'>
}

export function makePlainTargets({ checks, table, firstWord, checker }: PlainTargetsOptions): PlainTargets {
  const words = new Map<string, number>()
  const byView = new Map<string, readonly string[]>()
  /** No longer named, but perhaps still read by a thread that answers from the policies before: by the view that named them last. */
  const leaving = new Map<string, readonly string[]>()
  const free: number[] = Array.from({ length: table.words.length - firstWord }, (_, index) => table.words.length - 1 - index)

  const giveBack = (names: readonly string[]): void => {
    const held = [...new Set(names)].filter((name) => words.has(name))
    for (const name of held) {
      free.push(words.get(name)!)
      words.delete(name)
    }
    checker.remove(held)
  }
  const wordFor = (name: string, target: Target, check: string, fresh: CheckTarget[]): number => {
    const known = words.get(name)
    if (known !== undefined) return known
    const word = free.pop()
    if (word === undefined) throw new Error('no health words are left')
    freshWord(table, word)
    words.set(name, word)
    fresh.push({ name, plan: planCheck(check, checks, { name, addresses: addressesOf(target) }), table, index: word })
    return word
  }
  return {
    get names() {
      return [...words.keys()]
    },
    wordOf: (name) => words.get(name),
    adopt: (image, view = '') => {
      const fresh: CheckTarget[] = []
      const before = byView.get(view) ?? []
      byView.set(view, image.targets.flatMap((target, index) => (index < firstWord || target.check === undefined ? [] : [checkedName(target)])))
      const named = new Set([...byView.values()].flat())
      giveBack((leaving.get(view) ?? []).filter((name) => !named.has(name)))
      leaving.set(view, before.filter((name) => !named.has(name)))
      if (named.size > free.length + words.size) {
        giveBack([...leaving.values()].flat().filter((name) => !named.has(name)))
        leaving.clear()
      }
      const targets = image.targets.map((target, index) => {
        const { check } = target
        if (index < firstWord || check === undefined) return target
        return { ...target, word: wordFor(checkedName(target), target, check, fresh) }
      })
      checker.add(fresh)
      return { ...image, targets }
    }
  }
}

function addressesOf({ name, ipv4, ipv6 }: Target): string[] {
  const addresses = [...ipv4, ...ipv6].map((bytes) => formatAddress(bytes))
  return addresses.length > 0 ? addresses : [name.replace(/(?<=.)\.$/, '')]
}
