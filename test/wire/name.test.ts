import { array, assert, property, uint8Array } from 'fast-check'
import t from 'tap'
import { isSubdomain, labelCount, nameFromText, nameLength, nameToText, ROOT } from '../../daemon/wire/name.ts'
import { classFromText, isMetaType, TYPE, TYPE_ROWS, typeFromText, typeToText } from '../../daemon/wire/types.ts'

function wire(text: string, origin?: string): Uint8Array {
  const name = nameFromText(text, origin === undefined ? undefined : wire(origin))
  if (typeof name === 'string') throw new Error(`${text}: ${name}`)
  return name
}

t.test('text to wire and back', async (t) => {
  t.same([...wire('a.bc.')], [1, 97, 2, 98, 99, 0])
  t.same([...wire('.')], [0])
  t.same(wire('@', 'example.com.'), wire('example.com.'))
  t.same(wire('www', 'example.com.'), wire('www.example.com.'))
  t.same([...wire('a\\.b\\\\\\065\\@.')], [6, 97, 46, 98, 92, 65, 64, 0], 'escapes')
  t.equal(nameToText(wire('a\\.b\\032c.\\255.\\@x.')), 'a\\.b\\032c.\\255.\\@x.')
  t.equal(nameToText(Uint8Array.of(9, 9, 1, 97, 0), 2), 'a.')
  t.equal(nameToText(ROOT), '.')
})

t.test('what is no name, and why', async (t) => {
  const reasons: Record<string, RegExp> = {
    '': /empty/,
    'a..b': /empty label/,
    '.a': /empty label/,
    ['x'.repeat(64)]: /63/,
    'a\\256': /backslash/,
    'a\\1': /backslash/,
    'a\\': /backslash/,
    [`${`${'x'.repeat(63)}.`.repeat(4)}`]: /255/
  }
  for (const [text, reason] of Object.entries(reasons)) t.match(nameFromText(text), reason, text.slice(0, 20))
  const longest = `${'x.'.repeat(127)}`
  t.equal(wire(longest).length, 255, '127 labels fit')
  t.match(nameFromText(`${longest}x`), /255/)
  t.match(nameFromText(`${'x.'.repeat(126)}xx`), /255/)
})

t.test('comparison folds ASCII case only, and respects labels', async (t) => {
  t.ok(isSubdomain(wire('a.Example.com.'), wire('example.COM.')))
  t.ok(isSubdomain(wire('example.com.'), wire('example.com.')))
  t.ok(isSubdomain(wire('com.'), ROOT))
  t.notOk(isSubdomain(wire('\\195\\137.'), wire('\\195\\169.')))
  t.notOk(isSubdomain(wire('example.com.'), wire('a.example.com.')))
  t.notOk(isSubdomain(wire('notexample.com.'), wire('example.com.')))
  t.notOk(isSubdomain(wire('a\\007example.com.'), wire('example.com.')), 'the length octet as data of another label')
  t.equal(labelCount(wire('a.b.c.')), 3)
  t.equal(labelCount(ROOT), 0)
  t.equal(nameLength(Uint8Array.of(7, 1, 97, 0, 7), 1), 3)
})

t.test('every name reads back from its text', async () => {
  const label = uint8Array({ minLength: 1, maxLength: 63 })
  assert(
    property(array(label, { maxLength: 3 }), (labels) => {
      const name = Uint8Array.from([...labels.flatMap((octets) => [octets.length, ...octets]), 0])
      const back = nameFromText(nameToText(name))
      return typeof back !== 'string' && Buffer.compare(back, name) === 0
    })
  )
})

t.test('types and classes have names and numbers', async (t) => {
  t.equal(typeFromText('mx'), 15)
  t.equal(typeFromText('TYPE65534'), 65534)
  t.equal(typeFromText('type1'), 1)
  t.equal(typeFromText('TYPE65536'), undefined)
  t.equal(typeFromText('MXX'), undefined)
  t.equal(typeToText(TYPE.HTTPS), 'HTTPS')
  t.equal(typeToText(65534), 'TYPE65534')
  t.equal(classFromText('in'), 1)
  t.equal(classFromText('CLASS32'), 32)
  t.ok(isMetaType(TYPE.OPT) && isMetaType(TYPE.ANY))
  t.notOk(isMetaType(TYPE.A) || isMetaType(TYPE.CAA))
  t.equal(new Set(TYPE_ROWS.map((row) => row.number)).size, TYPE_ROWS.length, 'no number twice')
})
