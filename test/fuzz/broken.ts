/** What must never happen, with the input that makes it happen. */
export class Broken extends Error {
  readonly input: string

  constructor(what: string, input: Uint8Array | string) {
    const shown = typeof input === 'string' ? JSON.stringify(input) : Buffer.from(input).toString('hex')
    super(`${what}: ${shown}`)
    this.input = shown
  }
}

/** Does it, and says with which input it threw when it does. */
export function never<T>(what: string, input: Uint8Array | string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (error instanceof Broken) throw error
    throw new Broken(`${what} threw ${(error as Error).stack ?? String(error)}`, input)
  }
}
