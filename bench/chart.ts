// Bars in panels as SVG, by hand: a panel per case, a bar per server with the range of its rounds and its figure behind it.
// It brings its own ground, light or dark as the reader has it, so that it can be read on any page.

export interface Bar {
  readonly label: string
  /** What is ours stands out, what nobody can beat stands back. */
  readonly kind: 'ours' | 'peer' | 'floor'
  readonly value: number
  readonly low: number
  readonly high: number
  /** The figure in words. */
  readonly text: string
}

export interface Panel {
  readonly title: string
  readonly subtitle: string
  readonly bars: readonly Bar[]
}

export interface Chart {
  readonly title: string
  /** What a bar means, and which end is good. */
  readonly subtitle: string
  readonly panels: readonly Panel[]
}

const WIDTH = 960
const MARGIN = 24
const GUTTER = 32
const COLUMNS = 2
const ROW = 24
const LABEL = 130
const FIGURE = 64
const HEAD = 46
const TOP = 84
const PANEL_WIDTH = (WIDTH - 2 * MARGIN - GUTTER * (COLUMNS - 1)) / COLUMNS

const STYLE = `
  .ground { fill: #ffffff } .ink { fill: #1f2328 } .faint { fill: #59636e } .line { stroke: #d1d9e0 } .mark { stroke: #1f2328 }
  .ours { fill: #0969da } .peer { fill: #9aa7b5 } .floor { fill: #dde3ea }
  text { font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif } .title { font-size: 19px; font-weight: 600 } .case { font-size: 14px; font-weight: 600 } .bold { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } .ink { fill: #f0f6fc } .faint { fill: #9198a1 } .line { stroke: #3d444d } .mark { stroke: #f0f6fc }
    .ours { fill: #4493f8 } .peer { fill: #5c6773 } .floor { fill: #2f3742 }
  }`

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
const at = (value: number): string => value.toFixed(1).replace(/\.0$/, '')

/** The chart as the text of an SVG file. */
export function drawChart({ title, subtitle, panels }: Chart): string {
  const parts: string[] = []
  let y = TOP
  for (let first = 0; first < panels.length; first += COLUMNS) {
    const row = panels.slice(first, first + COLUMNS)
    for (const [column, panel] of row.entries()) parts.push(drawPanel(panel, MARGIN + column * (PANEL_WIDTH + GUTTER), y))
    y += HEAD + Math.max(...row.map(({ bars }) => bars.length)) * ROW + 26
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img">
<title>${escape(title)}</title>
<style>${STYLE}
</style>
<rect class="ground" width="${WIDTH}" height="${y}" rx="8"/>
<text class="ink title" x="${MARGIN}" y="38">${escape(title)}</text>
<text class="faint" x="${MARGIN}" y="60">${escape(subtitle)}</text>
${parts.join('\n')}
</svg>
`
}

function drawPanel({ title, subtitle, bars }: Panel, x: number, y: number): string {
  const most = Math.max(...bars.map(({ high }) => high))
  const left = x + LABEL
  const scale = (value: number): number => (value / most) * (PANEL_WIDTH - LABEL - FIGURE)
  const top = y + HEAD - 8
  const rows = bars.map((bar, index) => drawBar(bar, { left, y: top + index * ROW, scale }))
  return [
    `<text class="ink case" x="${at(x)}" y="${y + 6}">${escape(title)}</text>`,
    `<text class="faint" x="${at(x)}" y="${y + 24}">${escape(subtitle)}</text>`,
    ...rows,
    `<line class="line" x1="${at(left)}" x2="${at(left)}" y1="${top}" y2="${top + bars.length * ROW}"/>`
  ].join('\n')
}

function drawBar({ label, kind, value, low, high, text }: Bar, { left, y, scale }: { left: number; y: number; scale(value: number): number }): string {
  const middle = y + ROW / 2
  const weight = kind === 'ours' ? ' bold' : ''
  const range = (from: number, to: number): string => `<line class="mark" x1="${at(left + scale(from))}" x2="${at(left + scale(to))}" y1="${middle}" y2="${middle}"/>`
  const tick = (value: number): string => `<line class="mark" x1="${at(left + scale(value))}" x2="${at(left + scale(value))}" y1="${middle - 3}" y2="${middle + 3}"/>`
  return [
    `<text class="ink${weight}" x="${at(left - 8)}" y="${middle + 4}" text-anchor="end">${escape(label)}</text>`,
    `<rect class="${kind}" x="${at(left)}" y="${y + 4}" width="${at(Math.max(1, scale(value)))}" height="${ROW - 8}" rx="2"/>`,
    range(low, high) + tick(low) + tick(high),
    `<text class="ink${weight}" x="${at(left + scale(high) + 8)}" y="${middle + 4}">${escape(text)}</text>`
  ].join('\n')
}
