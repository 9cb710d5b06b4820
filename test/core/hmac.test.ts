import { createHmac } from 'node:crypto'
import t from 'tap'
import { makeHmac } from '../../core/hmac.ts'
import { makeRandom } from '../helpers/random.ts'

t.test('signs as createHmac does, whatever the lengths', (t) => {
  const random = makeRandom(1)
  const octets = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random.below(256)))
  for (const keyLength of [0, 1, 16, 32, 63, 64, 65, 200]) {
    const key = octets(keyLength)
    const sign = makeHmac(key)
    // A long one before a short one: nothing of it is left.
    for (const length of [0, 1, 55, 300, 56, 64, 16 * 1024, 119, 16 * 1024 + 1, 10]) {
      const text = octets(length).toString('latin1')
      t.equal(sign(text), createHmac('sha256', key).update(text, 'latin1').digest('hex'), `${length} octets with a key of ${keyLength}`)
    }
  }
  t.end()
})
