import { assert, property, uint8Array } from 'fast-check'
import t from 'tap'
import { nameFromText, nameToText, readMessage, TYPE } from '../../daemon/wire/index.ts'
import { makePacker, rdataToText, unpackRecords } from '../../daemon/zone/index.ts'

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
/** Header of a reply with one question for example.com. (at octet 12) and so many answers. */
const head = (answers: number): string => `0007 8400 0001 000${answers} 0000 0000 07 6578616d706c65 03 636f6d 00 00fc 0001`
const record = (owner: string, type: string, rdata: string): string => `${owner} ${type} 0001 0000003c ${(hex(rdata).length).toString(16).padStart(4, '0')} ${rdata}`

t.test('names are uncompressed wherever a type may have them compressed', async (t) => {
  const records = [
    // www.EXAMPLE.com: its own label, its own case, then a pointer to com.
    record('03777777 07 4558414d504c45 c014', '000f', '000a 04 6d61696c c00c'),
    record('c00c', '0006', '03 6e7331 c00c c00c 00000001 00000002 00000003 00000004 00000005'),
    record('c00c', '0021', '0001 0002 0003 03 737276 c00c'),
    record('c00c', '0023', '0001 0002 01 53 00 00 c00c'),
    record('c00c', '0007', '02 6d62 c00c'),
    // No names here: these octets are no pointer.
    record('c00c', '0010', '02 c00c'),
    record('c00c', 'fffe', 'c00c')
  ]
  const message = readMessage(hex([head(7), ...records].join('')))!
  t.match(message, { id: 7, isReply: true, isAuthoritative: true, isTruncated: false, rcode: 0, opcode: 0 })
  t.equal(nameToText(message.questions[0]!.name), 'example.com.')
  t.same(
    message.answers.map(({ owner, type, rdata }) => `${nameToText(owner)} ${type} ${rdataToText(type, rdata)}`),
    [
      'www.EXAMPLE.com. 15 10 mail.example.com.',
      'example.com. 6 ns1.example.com. example.com. 1 2 3 4 5',
      'example.com. 33 1 2 3 srv.example.com.',
      'example.com. 35 1 2 "S" "" "" example.com.',
      'example.com. 7 mb.example.com.',
      'example.com. 16 "\\192\\012"',
      'example.com. 65534 \\# 2 C00C'
    ]
  )
})

t.test('what is no message', async (t) => {
  const broken: Record<string, string> = {
    'cut short': `${head(1)} c00c 0001 0001 0000003c 0004 7f0000`,
    'an octet more': `${head(1)} ${record('c00c', '0001', '7f000001')} 00`,
    'a pointer to itself': `${head(1)} ${record('c01d', '0001', '7f000001')}`,
    'pointers in a circle': `${head(1)} ${record('c01f c01d', '0001', '7f000001')}`,
    'a pointer forwards': `${head(1)} ${record('c030', '0001', '7f000001')}`,
    'a name past its RDATA': `${head(1)} ${record('c00c', '0002', '03 6e73')}`,
    'a string past its RDATA': `${head(1)} ${record('c00c', '0023', '0001 0002 7f 53')}`,
    'fewer records than said': head(1)
  }
  for (const [what, text] of Object.entries(broken)) t.equal(readMessage(hex(text)), undefined, what)
  assert(
    property(uint8Array({ maxLength: 200 }), (octets) => {
      readMessage(octets)
      const message = hex(`${head(2)} ${record('c00c', '0006', 'c00c c00c 00000001 00000002 00000003 00000004 00000005')} ${record('c00c', '000f', '000a c00c')}`)
      for (const [at, octet] of octets.entries()) message[(at * 7) % message.length]! ^= octet
      readMessage(message)
    })
  )
})

t.test('records keep every octet through a pack', async (t) => {
  assert(
    property(uint8Array({ maxLength: 3000 }), uint8Array({ maxLength: 3000 }), (one, two) => {
      const owner = nameFromText('a.B.c.') as Uint8Array
      const records = Array.from({ length: 400 }, (_, at) => ({ owner, type: TYPE.TXT + at, ttl: 0xffff_ffff - at, rdata: at % 2 === 0 ? one : two }))
      const packer = makePacker()
      for (const record of records) packer.add(record)
      const octets = packer.octets
      const pack = packer.end()
      const back = [...unpackRecords(pack)]
      return (
        octets === pack.pieces.reduce((sum, piece) => sum + piece.length, 0) &&
        pack.length === 400 &&
        back.length === 400 &&
        back.every((record, at) => record.type === records[at]!.type && record.ttl === records[at]!.ttl && Buffer.compare(record.rdata, records[at]!.rdata) === 0 && Buffer.compare(record.owner, owner) === 0)
      )
    }),
    { numRuns: 20 }
  )
  t.same([...unpackRecords(makePacker().end())], [])
  t.throws(() => [...unpackRecords({ pieces: [new Uint8Array([0, 0, 1, 0, 0, 0, 0, 0, 9, 1])] })], RangeError)
})
