/** Columns a text takes on a terminal; combining marks take none. Wide scripts are not expected in names of cities. */
export function widthOf(text: string): number {
  return [...text.normalize('NFC')].length
}

/**
 * Rows as aligned columns, two spaces apart, without trailing spaces.
 * @param widest no line longer than this: the last column is cut with an ellipsis
 */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[], options: { indent?: string; right?: readonly number[]; widest?: number } = {}): string[] {
  const { indent = '', right = [], widest = 100 } = options
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ''))))
  return all.map((row) => {
    const cells = row.map((cell, column) => {
      const space = ' '.repeat(Math.max(0, widths[column]! - widthOf(cell)))
      return right.includes(column) ? `${space}${cell}` : `${cell}${space}`
    })
    return cut(`${indent}${cells.join('  ')}`.trimEnd(), widest)
  })
}

function cut(line: string, widest: number): string {
  const letters = [...line]
  return letters.length <= widest ? line : `${letters.slice(0, widest - 1).join('')}…`
}
