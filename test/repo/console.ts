/** A command that a page shows, and what the page says it prints. */
export interface Shown {
  readonly command: string
  readonly output: readonly string[]
  readonly line: number
}

/** The commands of every ```console block: a line that begins with `$ ` is typed, what follows is printed. */
export function shownCommands(page: string): Shown[] {
  const found: { command: string; output: string[]; line: number }[] = []
  let inside = false
  for (const [at, text] of page.split('\n').entries()) {
    if (text.startsWith('```')) inside = text === '```console'
    else if (inside && text.startsWith('$ ')) found.push({ command: text.slice(2), output: [], line: at + 1 })
    else if (inside) found.at(-1)?.output.push(text)
  }
  return found
}

/**
 * Whether `actual` is what the page shows, in order. Numbers and hexadecimal digits may differ, addresses not, white space may differ,
 * and `…` stands for anything: alone on a line for any number of lines.
 * @returns the shown line that was not printed, or undefined when all were
 */
export function missingLine(shown: readonly string[], actual: string): string | undefined {
  const printed = actual.split('\n').map(mask)
  let at = 0
  let anywhere = false
  for (const line of shown) {
    if (line.trim() === '' ) continue
    if (line.trim() === '…') {
      anywhere = true
      continue
    }
    const pattern = new RegExp(`^${mask(line).split('…').map(escape).join('.*')}$`)
    while (at < printed.length && printed[at] === '') at++
    if (anywhere) while (at < printed.length && !pattern.test(printed[at]!)) at++
    if (at >= printed.length || !pattern.test(printed[at]!)) return line
    at++
    anywhere = false
  }
  return undefined
}

/** Numbers become #, so that times, ports, pids and counts may differ, but addresses do not; the day of an HTTP date goes, and runs of blanks become one. */
function mask(line: string): string {
  return line
    .replaceAll(/\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} (?=\d{4}\b)/g, '')
    .replaceAll(/"[0-9a-f]{8,}"|\b[0-9a-f]{8}-?[0-9a-f-]{4,}\b/g, '#')
    .replaceAll(/\d+(\.\d+)*(\.…)?/g, (number) => (number.split('.').length === 4 ? number : '#'))
    .replaceAll(/\s+/g, ' ')
    .trim()
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}
