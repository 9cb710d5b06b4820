/** Runs so many at once; others wait their turn. What is run does not reject. */
export function makeTurns(most: number): { run(work: () => Promise<void>): void } {
  const waiting: (() => Promise<void>)[] = []
  let running = 0
  const next = (): void => {
    while (running < most && waiting.length > 0) {
      running++
      void waiting.shift()!().finally(() => {
        running--
        next()
      })
    }
  }
  return {
    run: (work) => {
      waiting.push(work)
      next()
    }
  }
}
