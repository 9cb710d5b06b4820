/** Work of which one is under way at a time. */
export interface Turns {
  /** Has it done now; while it is under way, once more after that, however often it was asked for. Resolves when it has been done. */
  take(): Promise<void>
  /** It is not done once more. */
  end(): void
}

export function makeTurns(work: () => Promise<void>): Turns {
  let now: Promise<void> | undefined
  let isAwaited = false
  let hasEnded = false
  const run = async (): Promise<void> => {
    isAwaited = false
    await work()
    if (isAwaited && !hasEnded) await run()
  }
  return {
    take: () => {
      if (now !== undefined) isAwaited = true
      return (now ??= run().finally(() => {
        now = undefined
      }))
    },
    end: () => {
      hasEnded = true
    }
  }
}
