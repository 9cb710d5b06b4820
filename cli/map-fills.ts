/** What something is filled with: a colour, and where that is not all, a pattern named in `paint`. */
export interface Fill {
  readonly colour: string
  /** Value of `fill`. */
  readonly paint: string
  /** Inside of the pattern: 120 by 120, in tenths of a pixel. */
  readonly pattern?: string
}

/** Neither an edge's, nor the sea. */
export const GREY = '#c3c9cf'

/** Okabe and Ito (2008): told apart with any of the common kinds of colour blindness. */
const PALETTE = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#f0e442'] as const
/** Edges past the colours have them once more, with white drawn over. */
const TEXTURES = ['', '<path d="M0 0h120v35h-120z" fill="#fff"/>', '<circle cx="60" cy="60" r="26" fill="#fff"/>', '<path d="M0 0h120v30h-90v90h-30z" fill="#fff"/>'] as const

/** The fill of the edge with this number: as long as it stands there, whatever its share and state. */
export function fillOf(number: number): Fill {
  const colour = PALETTE[number % PALETTE.length]!
  const texture = Math.floor(number / PALETTE.length) % TEXTURES.length
  if (texture === 0) return { colour, paint: colour }
  return { colour, paint: `url(#${colour.slice(1)}-${texture})`, pattern: `${square(colour)}${TEXTURES[texture]!}` }
}

/** Stripes of both, the first one's wider. */
export function splitOf(first: Fill, second: Fill): Fill {
  const inner = `${square(first.colour)}<path d="M0 0h120v48h-120z" fill="${second.colour}"/>`
  return { colour: first.colour, paint: `url(#${first.colour.slice(1)}-${second.colour.slice(1)})`, pattern: inner }
}

const square = (colour: string): string => `<path d="M0 0h120v120h-120z" fill="${colour}"/>`

/** Definitions of the patterns among these, each once. */
export function texturesOf(fills: readonly Fill[]): string {
  const patterns = new Map(fills.flatMap(({ paint, pattern }): [string, string][] => (pattern === undefined ? [] : [[paint.slice(5, -1), pattern]])))
  return [...patterns].map(([id, inner]) => `<pattern id="${id}" width="120" height="120" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">${inner}</pattern>`).join('')
}
