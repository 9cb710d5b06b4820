import type { Answerer } from './answer.ts'
import { makeCounters } from './answer/index.ts'
import { openWorld, type ViewImage, type World, type WorldImage } from './world.ts'
import { parsePrefix, type Prefix } from '../core/address.ts'

// Zones that only some networks see: whoever asks from one of them is answered from the zones of its view where these have
// the name, and else from those for all. Each view has an answerer of its own, so that nothing kept for one is given to another.

interface View {
  readonly name: string
  world: World
  readonly answerer: Answerer
}

interface Entry extends Prefix {
  readonly view: View
}

/**
 * @param main answers from the zones for all
 * @param open an answerer of its own for a view, which hands nothing over
 * @returns `main` itself where there are no views; `useViews` is told of every world
 */
export function withViews(main: Answerer, views: readonly ViewImage[], open: (world: World, counters: Float64Array) => Answerer): { readonly answerer: Answerer; useViews(image: WorldImage): void } {
  if (views.length === 0) return { answerer: main, useViews: () => undefined }
  const counted = makeCounters()
  const opened = views.map(({ name, world }): View => {
    const own = openWorld(world)
    return { name, world: own, answerer: open(own, counted) }
  })
  const entries = entriesOf(views, opened)
  let last = main
  const useViews = ({ views: next = [] }: WorldImage): void => {
    for (const view of opened) {
      const image = next.find(({ name }) => name === view.name)
      if (image === undefined) continue
      view.world = openWorld(image.world, view.world)
      view.answerer.use(view.world)
    }
  }
  const answerer: Answerer = {
    counters: main.counters,
    get last() {
      return last.last
    },
    get client() {
      return last.client
    },
    use: main.use,
    expect: main.expect,
    decline: () => last.decline(),
    truncate: () => last.truncate(),
    answer(query, start, length, source, transport, out, outStart, outSize) {
      const found = entries.find((entry) => holds(entry, source.bytes, source.at, source.family))
      if (found !== undefined) {
        const own = found.view.answerer
        const { finding } = own.last
        // Whatever is no query for a name leaves it so: updates, transfers, what is signed or malformed.
        finding.standing = 'not ours'
        const size = own.answer(query, start, length, source, transport, out, outStart, outSize)
        const isOurs = finding.standing !== 'not ours'
        for (let slot = 0; slot < counted.length; slot++) {
          if (isOurs) main.counters[slot]! += counted[slot]!
          counted[slot] = 0
        }
        if (isOurs) {
          last = own
          return size
        }
      }
      last = main
      return main.answer(query, start, length, source, transport, out, outStart, outSize)
    }
  }
  return { answerer, useViews }
}

/** The longest prefix first; of two that are as long the one written first. */
function entriesOf(images: readonly ViewImage[], views: readonly View[]): Entry[] {
  return images.flatMap(({ networks }, index) => networks.map((text): Entry => ({ ...parsePrefix(text)!, view: views[index]! }))).sort((a, b) => b.length - a.length)
}

/** The view that an address is in. */
export function viewAt(images: readonly ViewImage[], { family, bytes }: Pick<Prefix, 'family' | 'bytes'>): { readonly image: ViewImage; readonly network: string } | undefined {
  const found = images.flatMap((image) => image.networks.map((network) => ({ image, network, ...parsePrefix(network)! }))).sort((a, b) => b.length - a.length)
  return found.find((each) => holds(each, bytes, 0, family))
}

function holds(prefix: Prefix, bytes: Uint8Array, at: number, family: 4 | 6): boolean {
  if (prefix.family !== family) return false
  for (let octet = 0; octet * 8 < prefix.length; octet++) {
    const bits = Math.min(8, prefix.length - octet * 8)
    if (((prefix.bytes[octet]! ^ bytes[at + octet]!) & (0xff << (8 - bits))) !== 0) return false
  }
  return true
}
