import t from 'tap'
import { addBlock, makeBlocks, type Blocks } from '../../geodb/blocks.ts'
import { findNear, packNear } from '../../geodb/near.ts'

/** Blocks of random lengths over all of IPv4, each with one of so many values. */
function randomBlocks(values: number, longest: number): Blocks {
  const blocks = makeBlocks(1)
  const start = new Uint32Array(1)
  let seed = 7
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  for (let at = 0; at < 2 ** 32; ) {
    let length = 6 + random(longest - 5)
    while (at % 2 ** (32 - length) !== 0) length++
    start[0] = at
    addBlock(blocks, start, length, random(values))
    at += 2 ** (32 - length)
  }
  return blocks
}

/** The value of the block that holds an address, from the definition. */
function find({ count, starts, values }: Blocks, address: number): number {
  let low = 0
  for (let high = count - 1; low < high; ) {
    const middle = Math.ceil((low + high) / 2)
    if (starts[middle]! <= address) low = middle
    else high = middle - 1
  }
  return values[low]!
}

t.test('packed blocks say what the blocks say, at and around the first address of each', async (t) => {
  const blocks = randomBlocks(200, 22)
  const near = packNear(blocks)
  t.ok(near !== undefined && blocks.count > 10_000, `${blocks.count} blocks`)
  const findPacked = findNear(near!)
  let wrong = 0
  for (let block = 0; block < blocks.count; block++) {
    for (const address of [blocks.starts[block]! - 1, blocks.starts[block]!, blocks.starts[block]! + 1]) {
      if (address >= 0 && findPacked(address) !== find(blocks, address)) wrong++
    }
  }
  t.equal(wrong, 0)
  t.equal(findPacked(0xffffffff), find(blocks, 0xffffffff))
})

t.test('few blocks, and more values than have numbers, are looked up in the long form', async (t) => {
  const everything = makeBlocks(1)
  addBlock(everything, new Uint32Array(1), 0, 1)
  t.equal(packNear(everything), undefined)
  t.equal(packNear(randomBlocks(1 << 20, 24)), undefined)
})
