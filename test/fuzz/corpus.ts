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

/** Answers of corpus/responses.txt, octets as characters; `{id}` is left to be filled in. */
export function readResponses(): { readonly text: string; readonly about: string }[] {
  const lines = readFileSync(new URL('responses.txt', folder), 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith(';'))
  return lines.map((line) => {
    const end = line.lastIndexOf(' ; ')
    return { text: line.slice(0, end).replaceAll('\\r', '\r').replaceAll('\\n', '\n'), about: line.slice(end + 3) }
  })
}
