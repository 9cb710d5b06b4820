import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import type { EvictionName } from '../../core/config-cdn.ts'
import type { Held, StoredObject } from '../../edge/cache/index.ts'
import { makeBodies, roomForBodies } from '../../edge/bodies/index.ts'
import { evictionPolicies, MemoryStore } from '../../edge/store/index.ts'

const names = Object.keys(evictionPolicies) as EvictionName[]

const object = (body: Buffer, lines = 'A: b\r\n'): StoredObject => ({
  kind: 'object', status: 200, lines, body, onDisk: undefined, etag: '"e"', lastModified: undefined, tags: 'a, b', generation: 3, lifetime: 1000, initialAge: 0, receivedAt: 5, whileRevalidating: 0, ifError: 1, askedAt: -Infinity, frame: '', frameAge: -1
})

const KIB = 1024
const MIB = 1024 * KIB

t.test('whatever is put, used, dropped and reserved: never above the limit, and what is there is what was put', async (t) => {
  const sizes = [() => fc.nat(600), () => fc.nat(20 * KIB), () => fc.nat(100 * KIB)]
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), key: fc.nat(60), size: fc.oneof(...sizes.map((make) => make())) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('get' as const), key: fc.nat(60), size: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: fc.nat(60), size: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('reserve' as const), key: fc.constant(0), size: fc.nat(200 * KIB) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const), key: fc.constant(0), size: fc.constant(0) }) }
  )
  // Fewer files than bodies: some lie in one, others do not.
  const bodies = makeBodies(roomForBodies(40))
  for (const name of names) {
    fc.assert(
      fc.property(fc.constantFrom(50 * KIB, 400 * KIB, 2 * MIB), fc.array(action, { maxLength: 250 }), (limit, actions) => {
        const store = new MemoryStore(limit, name, undefined, bodies)
        const model = new Map<string, StoredObject>()
        const reserved: number[] = []
        for (const [step, { kind, key: number, size }] of actions.entries()) {
          // Keys that begin alike, and end in the middle of a block.
          const key = 'k'.repeat(number * 7)
          if (kind === 'put') {
            const held = object(Buffer.alloc(size, step), `A: ${step}\r\n`)
            model.delete(key)
            if (store.put(key, held)) model.set(key, held)
          }
          if (kind === 'get') {
            const held = store.get(key)
            if (held !== undefined && !isSame(held, model.get(key))) return false
          }
          if (kind === 'delete') {
            store.delete(key)
            model.delete(key)
            if (store.get(key) !== undefined) return false
          }
          if (kind === 'reserve' && store.reserve(size)) reserved.push(size)
          if (kind === 'release') store.release(reserved.pop() ?? 0)
          if (store.size > limit) return false
        }
        return store.count <= model.size
      }),
      { numRuns: 15 }
    )
    t.pass(name)
  }
})

function isSame(held: Held, put: StoredObject | undefined): boolean {
  if (held.kind !== 'object' || put === undefined) return false
  const { body, ...rest } = held
  const { body: wanted, ...others } = put
  return body.equals(wanted) && isDeepStrictEqual(rest, others)
}

t.test('all room is used, whatever sizes come one after the other', async (t) => {
  const limit = MIB
  for (const name of names) {
    const store = new MemoryStore(limit, name)
    for (const size of [200, 20 * KIB, 900, 60 * KIB, 90]) {
      for (let at = 0; at < (2 * limit) / Math.max(size, 500); at++) store.put(`${size} ${at}`, object(Buffer.alloc(size)))
      t.ok(store.size > 0.85 * limit && store.size <= limit, `${name}: ${size} octets each: ${Math.round((100 * store.size) / limit)} % of the limit`)
    }
  }
})

t.test('what is larger than all of it is not taken, and costs nothing of what is there', async (t) => {
  const store = new MemoryStore(100 * KIB)
  store.put('a', object(Buffer.alloc(100)))
  t.equal(store.put('b', object(Buffer.alloc(100 * KIB))), false)
  t.equal(store.reserve(100 * KIB), false)
  t.ok(store.get('a'))
  t.equal(new MemoryStore(0).put('k', object(Buffer.alloc(1))), false, 'no memory at all')
})

t.test('marks are kept as they are, and every octet of a key counts', async (t) => {
  const store = new MemoryStore(4 * MIB)
  const marks: Held[] = [{ kind: 'vary', names: ['accept', 'x-y'], generation: 7 }, { kind: 'pass', until: 1_800_000_000_123 }]
  for (const [at, mark] of marks.entries()) {
    store.put(`mark ${at}`, mark)
    t.same(store.get(`mark ${at}`), mark)
    t.same(store.get(`mark ${at}`), mark, 'again')
  }
  t.equal(store.get('mark'), undefined)
  t.equal(store.get('mark 1\n'), undefined)
  const bodies = Array.from({ length: 3000 }, () => randomBytes(40))
  for (const [at, body] of bodies.entries()) store.put(`www example /${at}`, object(body))
  t.ok(bodies.every((body, at) => isSame(store.get(`www example /${at}`) ?? { kind: 'pass', until: 0 }, object(body))), 'three thousand, each its own')
})

t.test('a body that was handed out stays as it is, whatever becomes of its place', async (t) => {
  const store = new MemoryStore(200 * KIB, 'lru')
  store.put('first', object(Buffer.alloc(3000, 'a')))
  const held = store.get('first') as StoredObject
  for (let at = 0; at < 500; at++) store.put(`later ${at}`, object(Buffer.alloc(3000, 'b')))
  t.equal(store.get('first'), undefined)
  t.ok(held.body.equals(Buffer.alloc(3000, 'a')))
})

t.test('what is used often outlasts what is asked for once', async (t) => {
  for (const name of names.filter((name) => name !== 'lru')) {
    const store = new MemoryStore(400 * KIB, name)
    let hits = 0
    for (let at = 0; at < 4000; at++) {
      const often = `often ${at % 20}`
      if (store.get(often) === undefined) store.put(often, object(Buffer.alloc(500)))
      else hits++
      for (let once = 0; once < 5; once++) store.put(`once ${at} ${once}`, object(Buffer.alloc(500)))
    }
    t.ok(hits > 3500, `${name}: ${hits} of 4,000`)
  }
})

t.test('orders of eviction: whatever is added, used, removed: what leaves is held, each once, until nothing is left', async (t) => {
  const SLOTS = 40
  const action = fc.record({ kind: fc.constantFrom('add' as const, 'use' as const, 'remove' as const, 'evict' as const), slot: fc.integer({ min: 1, max: SLOTS - 1 }), size: fc.oneof(fc.nat(100), fc.nat(2 ** 20), fc.constant(2 ** 32 + 1)) })
  for (const name of names) {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 400 }), (actions) => {
        const order = evictionPolicies[name].make({ slots: SLOTS, ghosts: 16 })
        const held = new Set<number>()
        for (const { kind, slot, size } of actions) {
          if (kind === 'add' && !held.has(slot)) {
            order.add(slot, size, slot)
            held.add(slot)
          }
          if (kind === 'use' && held.has(slot)) order.use(slot)
          if (kind === 'remove' && held.delete(slot)) order.remove(slot)
          if (kind === 'evict') {
            const gone = order.evict()
            if (!held.delete(gone) && (gone !== 0 || held.size > 0)) return false
          }
        }
        while (held.size > 0) if (!held.delete(order.evict())) return false
        return order.evict() === 0
      }),
      { numRuns: 60 }
    )
    t.pass(name)
  }
})

t.test('asked for equally often, the small stay longer than the large where size counts, and as long where it does not', async (t) => {
  const [small, large] = [1024, 32 * 1024]
  const share = (name: EvictionName): number => {
    const order = evictionPolicies[name].make({ slots: 401, ghosts: 400 })
    const sizeOf = (slot: number): number => (slot % 2 === 0 ? small : large)
    const held = new Set<number>()
    const hits = [0, 0]
    let [octets, state] = [0, 1]
    for (let at = 0; at < 20_000; at++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      const slot = 1 + ((state >>> 8) % 400)
      if (held.has(slot)) {
        hits[slot % 2]!++
        order.use(slot)
        continue
      }
      for (octets += sizeOf(slot); octets > 100 * (small + large); ) {
        const gone = order.evict()
        held.delete(gone)
        octets -= sizeOf(gone)
      }
      order.add(slot, sizeOf(slot), slot)
      held.add(slot)
    }
    return hits[0]! / hits[1]!
  }
  for (const name of ['s3-fifo', 'gdsf'] as const) t.ok(share(name) > 1.5, `${name}: ${share(name).toFixed(2)} hits of the small for each of the large`)
  for (const name of ['lru', 'lfu', 'sieve'] as const) t.ok(Math.abs(share(name) - 1) < 0.2, `${name}: ${share(name).toFixed(2)}`)
})
