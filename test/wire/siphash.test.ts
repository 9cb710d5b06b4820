import t from 'tap'
import { sipHash24, sipHashKey } from '../../daemon/wire/index.ts'

// The reference vectors of the authors: key 00 01 … 0f, message 00 01 … of so many octets.
const VECTORS: Readonly<Record<number, string>> = { 0: '310e0edd47db6f72', 1: 'fd67dc93c539f874', 8: '6224939a79f5f593', 15: 'e545be4961ca29a1', 16: 'db9bc2577fcc2a3f', 20: '98eea21af25cd6be' }

t.test('SipHash-2-4 is what its authors say', async (t) => {
  const key = sipHashKey(Uint8Array.from({ length: 16 }, (_, octet) => octet))
  for (const [octets, hash] of Object.entries(VECTORS)) {
    const message = new Uint8Array(48)
    for (let octet = 0; octet < Number(octets); octet++) message[octet] = octet
    const out = new Int32Array(2)
    sipHash24(key, new Int32Array(message.buffer), Number(octets), out)
    t.equal(Buffer.from(out.buffer).toString('hex'), hash, `${octets} octets`)
  }
})
