import { readdirSync, readFileSync } from 'node:fs'

const folder = new URL('../../../test/fuzz/corpus/', import.meta.url)

/** Packets of corpus/packets.txt: hexadecimal digits, blanks between them, and a comment behind a semicolon. */
export function readPackets(): Uint8Array[] {
  const lines = readFileSync(new URL('packets.txt', folder), 'utf8').split('\n').map((line) => line.replace(/;.*/, '').replaceAll(/\s/g, ''))
  return lines.filter((line) => line !== '').map((line) => Uint8Array.from(Buffer.from(line, 'hex')))
}

/** Zone files, by name, each octet a character. */
export function readZoneTexts(): { readonly name: string; readonly text: string }[] {
  const zones = new URL('zones/', folder)
  return readdirSync(zones).filter((name) => name.endsWith('.zone')).map((name) => ({ name, text: readFileSync(new URL(name, zones), 'latin1') }))
}
