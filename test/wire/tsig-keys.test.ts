import { inspect } from 'node:util'
import t from 'tap'
import { formatFault } from '../../core/trouble.ts'
import { parseKeys, readKeyFiles } from '../../daemon/wire/tsig-keys.ts'

const SECRET = 'Vm+eu8IbWI5iClkrw8kBMuE2CHeF7GFcnBf2c8dBD3k='

t.test('keys in every way that BIND takes them', async (t) => {
  const { keys, faults } = parseKeys('a.keys', `
    # one of each comment
    key "Xfr.Example" { algorithm hmac-sha256; secret "${SECRET}"; }; // behind
    /* over
       lines; key no { } */
    key second. {
      secret ${SECRET};
      algorithm "HMAC-SHA512.";
    };;
    key "a\\\\.b" { algorithm hmac-sha384; secret "Vm+eu8IbWI5iClkr
      w8kBMuE2"; };`.replace('\n      w8k', ' w8k'))
  t.same(faults.map(({ severity, line }) => [severity, line]), [['warning', 10]], 'but for a short secret')
  t.same([...keys.keys()], ['xfr.example.', 'second.', 'a\\.b.'])
  t.same([...keys.values()].map(({ algorithm }) => algorithm.hash), ['sha256', 'sha512', 'sha384'])
  t.same([...keys.values()].map(({ secret }) => secret.export().length), [32, 32, 18])
  const shown = inspect([...keys.values()], { depth: 9, showHidden: true }) + JSON.stringify([...keys.values()])
  t.notOk(shown.includes(SECRET.slice(0, 8)) || shown.includes('56 6f 9e'), 'a key that is printed does not show its secret')
})

t.test('every fault at once, each at its place, and no secret in any', async (t) => {
  const faulty: readonly (readonly [text: string, faults: readonly string[]])[] = [
    ['include "other.keys";\nkey a { algorithm hmac-sha256; };', [
      '1:1: include is not followed (name each file in the list of key files)',
      '2:5: key a. has no secret'
    ]],
    [`key a { algorithm hmac-md5; secret "${SECRET}"; };`, ['1:19: hmac-md5 is too weak to be taken (make a new key with hmac-sha256 on both servers)']],
    [`key a { algorithm hmac-sha256-128; secret "${SECRET}"; };`, ['1:19: signatures are not cut short (use hmac-sha256 on both servers)']],
    [`key a { algorithm "${SECRET}"; secret hmac-sha256; };`, [
      '1:19: there is no such algorithm (known: hmac-sha256, hmac-sha384, hmac-sha512)',
      '1:74: the secret is not base64 (tsig-keygen makes one)'
    ]],
    [`key a { algoritm hmac-sha256; secret "${SECRET}"; };\noptions { directory "/"; };`, [
      '1:9: expected algorithm or secret (did you mean algorithm?)',
      '2:1: options does not belong in a file of keys (a file of keys has statements such as key "name" { algorithm hmac-sha256; secret "…"; };)'
    ]],
    [`key a { algorithm hmac-sha256; secret "${SECRET}" };\nkey A { algorithm hmac-sha256; secret "${SECRET}"; }`, [
      '1:86: expected ; after the value of secret',
      '2:88: expected ; after the } (a key ends with };)',
      '2:5: key a. stands in a.keys:1 already'
    ]],
    [`key a { algorithm hmac-sha256; secret "${SECRET}`, ['1:39: this string is not ended on its line', '1:84: the file ends within a key (a key ends with };)']],
    ['key "" { };\n/* for ever', ['1:5: the name is empty', '2:1: this comment is not ended']],
    ['key a { algorithm hmac-sha256; algorithm hmac-sha256; secret ""; };', ['1:32: algorithm stands here twice', '1:62: the secret is not base64 (tsig-keygen makes one)']]
  ]
  for (const [text, expected] of faulty) {
    const { faults } = parseKeys('a.keys', text)
    const found = faults.map((fault) => formatFault(fault).replace(/^a\.keys:/, ''))
    t.same(found.toSorted(), expected.toSorted(), text.slice(0, 40).replaceAll('\n', ' '))
    t.notOk(found.some((line) => line.includes(SECRET.slice(4, 20))))
  }
})

t.test('several files are one set of keys', async (t) => {
  const files: Record<string, string> = {
    'a.keys': `key one { algorithm hmac-sha256; secret "${SECRET}"; };`,
    'b.keys': `key ONE { algorithm hmac-sha256; secret "${SECRET}"; };\nkey two { algorithm hmac-sha512; secret "${SECRET}"; };`
  }
  const { keys, faults } = readKeyFiles(['a.keys', 'none.keys', 'b.keys'], (file) => {
    const text = files[file]
    if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${file}'`)
    return text
  })
  t.same([...keys.keys()], ['one.', 'two.'])
  t.same(faults.map(formatFault), ['none.keys:1:1: cannot be read: no such file or directory', 'b.keys:1:5: key one. stands in a.keys:1 already'])
})

t.test('a secret that is far too short is taken, with a warning that does not show it', async (t) => {
  const secret = (octets: number): string => Buffer.alloc(octets, 7).toString('base64')
  const keyOf = (hash: string, octets: number) => parseKeys('a.keys', `key k { algorithm hmac-${hash}; secret "${secret(octets)}"; };`)
  t.same(keyOf('sha512', 31).faults.map(formatFault), ['a.keys:1:5: warning: the secret of key k. has 31 octets, and hmac-sha512 wants 64: whoever sees a signature may find it by trying (tsig-keygen -a hmac-sha512 makes one, for both servers)'])
  t.equal(keyOf('sha256', 15).keys.size, 1)
  t.same([...keyOf('sha256', 16).faults, ...keyOf('sha384', 24).faults, ...keyOf('sha512', 32).faults], [])
})
