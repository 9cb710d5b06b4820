import { assert, constantFrom, property, uint8Array } from 'fast-check'
import t from 'tap'
import { nameFromText } from '../../daemon/wire/name.ts'
import { TYPE, TYPE_ROWS, typeFromText } from '../../daemon/wire/types.ts'
import { rdataFromText, rdataToText } from '../../daemon/zone/index.ts'
import { rdataText } from '../helpers/rdata-texts.ts'

const origin = nameFromText('example.com.') as Uint8Array

function hexOf(type: string, text: string): string {
  const rdata = rdataFromText(typeFromText(type)!, text, origin)
  return typeof rdata === 'string' ? rdata : Buffer.from(rdata).toString('hex')
}

t.test('text to octets', async (t) => {
  const cases: readonly (readonly [type: string, text: string, hex: string])[] = [
    ['A', '192.0.2.1', 'c0000201'],
    ['AAAA', '::', '0'.repeat(32)],
    ['AAAA', '2001:DB8::1', '20010db8000000000000000000000001'],
    ['AAAA', '1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['AAAA', '::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
    ['MX', '10 mail', '000a046d61696c076578616d706c6503636f6d00'],
    ['TXT', '"a b" c', '036120620163'],
    ['SRV', '1 2 3 .', '00010002000300'],
    ['CAA', '128 issue "x"', '80056973737565 78'],
    ['SSHFP', '2 1 12 3 4', '02011234'],
    ['DS', '1 RSASHA256 200 AB', '000108c8ab'],
    ['DNSKEY', '257 3 8 AwEA AQ==', '01010308 03010001'],
    ['NSEC', 'host A MX RRSIG NSEC TYPE1234', '04686f7374076578616d706c6503636f6d000006400100000003041b 0000000000000000000000000000000000000000000000000000 20'],
    ['NSEC3', '1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr A', '0101000c04aabbccdd14174eb2409fe28bcb4887a1836f957f0a8425e27b000140'],
    ['RRSIG', 'A 5 3 86400 20030322173103 20030220173103 2642 example.com. AQ==', '00010503000151803e7c9dd73e5510d7 0a52 076578616d706c6503636f6d0001'],
    ['LOC', '42 21 54 N 71 06 18 W -24m 30m', '00331613 89172dd0 70be15f0 00988d20'],
    ['APL', '1:192.168.32.0/21 !1:192.168.38.0/28', '00011503c0a82000011c83c0a826'],
    ['HTTPS', '1 . port=8443 alpn=h2,h3', '0001000001000602683202683300030002 20fb'],
    ['SVCB', '16 foo.example.org. mandatory=ipv4hint,alpn ipv4hint=192.0.2.1 alpn="f\\\\\\\\oo\\\\,bar,h2"', '001003666f6f076578616d706c65036f726700 0000000400010004 0001000c08665c6f6f2c626172026832 00040004c0000201'],
    ['TYPE65534', '\\# 3 AB CDEF', 'abcdef'],
    ['A', '\\# 4 C0000201', 'c0000201'],
    ['TXT', '\\065\\;\\"', '03413b22']
  ]
  for (const [type, text, hex] of cases) t.equal(hexOf(type, text), hex.replaceAll(' ', ''), `${type} ${text}`)
})

t.test('octets that fit no form of their type are shown generically', async (t) => {
  t.equal(rdataToText(TYPE.A, Uint8Array.of(1, 2, 3)), '\\# 3 010203')
  t.equal(rdataToText(TYPE.MX, Uint8Array.of(0, 10, 0xc0, 12)), '\\# 4 000AC00C', 'a compression pointer is no name')
  t.equal(rdataToText(TYPE.NS, Uint8Array.of(1, 97, 0, 0)), '\\# 4 01610000')
  t.equal(rdataToText(TYPE.TXT, new Uint8Array(0)), '\\# 0')
  t.equal(rdataToText(65_534, Uint8Array.of(255)), '\\# 1 FF')
})

t.test('the example of every type is such data, shortened ones apart', async (t) => {
  for (const { mnemonic, example } of TYPE_ROWS.filter((row) => !row.example.includes('…'))) {
    const wire = rdataFromText(typeFromText(mnemonic)!, example, origin)
    t.not(typeof wire, 'string', `${mnemonic} ${example}`)
  }
})

t.test('of every type, octets stay the same through text and back', async (t) => {
  for (const row of TYPE_ROWS) {
    const { mnemonic } = row
    const type = typeFromText(mnemonic)!
    assert(
      property(rdataText(row), (given) => {
        const wire = rdataFromText(type, given)
        if (typeof wire === 'string') throw new Error(`${mnemonic} ${given}: ${wire}`)
        const text = rdataToText(type, wire)
        const again = rdataFromText(type, text)
        return !text.startsWith('\\#') && typeof again !== 'string' && Buffer.compare(wire, again) === 0 && rdataToText(type, again) === text
      }),
      { numRuns: 60 }
    )
    t.pass(mnemonic)
  }
})

t.test('any octets of any type read back from their text', async () => {
  assert(
    property(constantFrom(...TYPE_ROWS.map((row) => row.number), 65_534), uint8Array({ maxLength: 60 }), (type, octets) => {
      const wire = rdataFromText(type, rdataToText(type, octets))
      // The generic form of a known type is read only when its octets fit that type.
      return typeof wire === 'string' ? rdataToText(type, octets).startsWith('\\#') : Buffer.compare(wire, octets) === 0
    }),
    { numRuns: 3000 }
  )
})
