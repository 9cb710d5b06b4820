/** A point of the drawing: right and down, in pixels. */
export type Spot = readonly [number, number]

export const WIDTH = 1200
export const TOP = 74
const MARGIN = 12
/** Degrees. The middle meridian is such that the map is cut in the Bering Strait; Antarctica has no viewers. */
const MIDDLE = 11
const NORTH = 84
export const SOUTH = -57

const RADIAN = Math.PI / 180
const SCALE = (WIDTH - 2 * MARGIN) / (2 * Math.PI * 0.8707)
const northing = (lat: number): number => {
  const squared = (lat * RADIAN) ** 2
  return lat * RADIAN * (1.007226 + squared * (0.015085 + squared ** 2 * (-0.044475 + 0.028874 * squared - 0.005916 * squared ** 2)))
}

/** Where the map ends. */
export const BOTTOM = TOP + SCALE * (northing(NORTH) - northing(SOUTH))

/** Natural Earth projection (Šavrič, Jenny, Patterson, Petrovič, Hurni 2011). @param lon degrees, of any turn */
export function project(lat: number, lon: number): Spot {
  return place(lat, ((((lon - MIDDLE + 180) % 360) + 360) % 360) - 180)
}

function place(lat: number, fromMiddle: number): Spot {
  const squared = (lat * RADIAN) ** 2
  const width = 0.8707 + squared * (-0.131979 + squared * (-0.013791 + squared ** 3 * (0.003971 - 0.001529 * squared)))
  return [WIDTH / 2 + SCALE * fromMiddle * RADIAN * width, TOP + SCALE * (northing(NORTH) - northing(lat))]
}

/** A country may reach a little over the cut: its points stay on one side. */
export function projectOutline(rings: string): Spot[][] {
  return rings.split(';').map((ring) => {
    const steps = (ring.match(/-?\d+/g) ?? []).map(Number)
    let lon = 0
    let lat = 0
    return Array.from({ length: steps.length / 2 }, (_, index) => {
      lon += steps[2 * index]!
      lat += steps[2 * index + 1]!
      return place(lat / 10, lon / 10 - MIDDLE)
    })
  })
}

/** The sea: all of the world that is drawn. */
export function frame(): Spot[] {
  const lats = Array.from({ length: 48 }, (_, index) => NORTH - (index * (NORTH - SOUTH)) / 47)
  return [...lats.map((lat) => place(lat, 180.5)), ...lats.toReversed().map((lat) => place(lat, -180))]
}

interface Box {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

export interface Label {
  /** Where its text begins, ends or has its middle, on the base line. */
  readonly at: Spot
  readonly anchor: 'start' | 'middle' | 'end'
  /** Far from its dot: where a line from the dot ends. */
  readonly line?: Spot
}

/** Half of what a dot takes. */
const DOT = 8
const HEIGHT = 16
const STEPS = [0, 14, 28, 44, 64, 90]
const SIDES: readonly Spot[] = [[1, 0], [-1, 0], [0, -1], [0, 1], [1, -0.8], [-1, -0.8], [1, 0.8], [-1, 0.8]]

/** Dots that would cover each other are moved apart, each to the nearest free place. */
export function spread(spots: readonly Spot[]): Spot[] {
  const taken: Spot[] = []
  for (const [x, y] of spots) {
    const isFree = ([left, top]: Spot): boolean => taken.every(([otherX, otherY]) => Math.hypot(left - otherX, top - otherY) >= 2 * DOT - 2)
    const around = Array.from({ length: 200 }, (_, turn): Spot => [x + turn * Math.cos(turn * 2.4), y + turn * Math.sin(turn * 2.4)])
    taken.push(around.find(isFree) ?? [x, y])
  }
  return taken
}

/** Labels beside their dots, none over another or over a dot; undefined where there is no room for one. @param widths pixels */
export function placeLabels(dots: readonly Spot[], widths: readonly number[]): (Label | undefined)[] {
  const taken: Box[] = dots.map(([x, y]) => ({ left: x - DOT, top: y - DOT, right: x + DOT, bottom: y + DOT }))
  return dots.map((dot, index) => {
    for (const step of STEPS) {
      for (const side of SIDES) {
        const box = boxAt(dot, side, step, widths[index]!)
        if (box.left < 4 || box.right > WIDTH - 4 || box.top < TOP || box.bottom > BOTTOM || taken.some((other) => overlaps(box, other))) continue
        taken.push(box)
        const line: Spot = [Math.min(Math.max(dot[0], box.left), box.right), Math.min(Math.max(dot[1], box.top), box.bottom)]
        const [x, anchor] = side[0] > 0 ? ([box.left + 2, 'start'] as const) : side[0] < 0 ? ([box.right - 2, 'end'] as const) : ([(box.left + box.right) / 2, 'middle'] as const)
        return { at: [x, box.bottom - 4], anchor, ...(step > 0 && { line }) }
      }
    }
    return undefined
  })
}

function boxAt([x, y]: Spot, [right, down]: Spot, step: number, width: number): Box {
  const middle = x + right * (DOT + step + width / 2)
  const centre = y + down * (DOT + step + HEIGHT / 2)
  return { left: middle - width / 2, right: middle + width / 2, top: centre - HEIGHT / 2, bottom: centre + HEIGHT / 2 }
}

const overlaps = (one: Box, other: Box): boolean => one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom
