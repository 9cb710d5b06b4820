import t from 'tap'
import { makeReclaimer } from '../../daemon/reclaim.ts'

const MIB = 1 << 20
let builds = 0
const image = (byteLength: number) => ({ build: ++builds, byteLength })

t.test('garbage is collected once enough has been replaced, and not for small zones', async (t) => {
  let collected = 0
  const reclaim = makeReclaimer(() => collected++)
  reclaim(image(100 * MIB))
  t.equal(collected, 0, 'the first image replaces none')
  reclaim(image(MIB))
  t.equal(collected, 1)
  for (let reload = 0; reload < 60; reload++) reclaim(image(MIB))
  t.equal(collected, 1)
  for (let reload = 0; reload < 60; reload++) reclaim(image(MIB))
  t.equal(collected, 2)
})

t.test('an image that nobody holds any more is given back', async (t) => {
  const buffer = new WeakRef(new SharedArrayBuffer(80 * MIB))
  // A WeakRef holds its target until the turn in which it was made is over.
  await new Promise((resolve) => setImmediate(resolve))
  const reclaim = makeReclaimer()
  reclaim(image(80 * MIB))
  t.ok(buffer.deref() !== undefined)
  await new Promise((resolve) => setImmediate(resolve))
  reclaim(image(MIB))
  t.equal(buffer.deref(), undefined)
})
