import { rm } from 'node:fs/promises'
import { messageOf } from '../../../core/trouble.ts'

export interface RestOptions {
  /** Says in a line what becomes of it. */
  readonly say: (text: string) => void
  /** Milliseconds between a failure and the next try; absent: a second, doubled by each failure, up to a minute. */
  readonly againMs?: number | undefined
  /** Makes ready for the next try; throws where there is no use in one. */
  readonly prepare: () => Promise<void>
}

const [FIRST_MS, LONGEST_MS] = [1000, 60_000]

/** A disk that failed: nothing is written to it for a while, and both its failure and its return are told once. */
export interface Rest {
  readonly isResting: boolean
  /** Why it fails; undefined once it has been written to for a while without a failure. */
  readonly trouble: string | undefined
  failed(error: unknown): void
  /** Something has been written. */
  wrote(): void
  /** Removes a file; where that fails, again and again until it is gone. */
  remove(path: string): Promise<void>
  /** Nothing is tried any more. */
  stop(): void
}

export function makeRest({ say, againMs, prepare }: RestOptions): Rest {
  const first = againMs ?? FIRST_MS
  const longest = againMs ?? LONGEST_MS
  let trouble: string | undefined
  let isResting = false
  let delay = first
  let again: NodeJS.Timeout | undefined
  let calm: NodeJS.Timeout | undefined
  let isStopped = false
  const remover = makeRemover(first, longest)

  const failed = (error: unknown): void => {
    if (trouble === undefined) say(`nothing is written to disk for now, and memory alone takes in what is new: ${messageOf(error)}`)
    trouble = messageOf(error)
    clearTimeout(calm)
    calm = undefined
    // What fails meanwhile does not put off the next try.
    if (isResting || isStopped) return
    isResting = true
    again = setTimeout(() => void tryAgain(), delay).unref()
    delay = Math.min(longest, delay * 2)
  }
  /** It does not fail any more: some kinds of writing may have failed, and others not. */
  const recover = (): void => {
    trouble = undefined
    say('writing to disk goes on')
    calm = setTimeout(() => ([delay, calm] = [first, undefined]), longest).unref()
  }
  const tryAgain = async (): Promise<void> => {
    try {
      await prepare()
      isResting = false
    } catch (error) {
      isResting = false
      failed(error)
    }
  }
  return {
    get isResting() {
      return isResting
    },
    get trouble() {
      return trouble
    },
    failed,
    wrote: () => {
      if (trouble !== undefined && !isResting) calm ??= setTimeout(recover, first).unref()
    },
    remove: (path) => remover.remove(path, failed),
    stop: () => {
      isStopped = true
      for (const timer of [again, calm]) clearTimeout(timer)
      remover.stop()
    }
  }
}

/** Removes files, and tries again what could not be removed: after so long at first, then every so often. Milliseconds. */
function makeRemover(first: number, longest: number): { remove(path: string, failed: (error: unknown) => void): Promise<void>; stop(): void } {
  const left = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  const later = (ms: number): void => {
    if (!isStopped) timer ??= setTimeout(() => void again(), ms).unref()
  }
  const again = async (): Promise<void> => {
    timer = undefined
    for (const path of left) await rm(path, { force: true }).then(() => left.delete(path), () => undefined)
    if (left.size > 0) later(longest)
  }
  return {
    remove: async (path, failed) => {
      try {
        await rm(path, { force: true })
      } catch (error) {
        left.add(path)
        later(first)
        failed(error)
      }
    },
    stop: () => {
      isStopped = true
      clearTimeout(timer)
    }
  }
}
