import type { Words } from './ledger.ts'

/** What may be done beside the requests themselves, as a share of them: so many at once when none was done for long, then one for each 1 / share requests. */
export interface Budget {
  /** A request is made. */
  earn(): void
  /** Takes one from the budget; false when it is spent. */
  spend(): boolean
}

/** At once, when nothing was spent for long. */
const MOST = 10
/** What one costs, in the unit of the word. */
const ONE = 1_000_000
const SPENT = 0

/** @param words one: how much of the budget is spent */
export function makeBudget(share: number, words: Words = new Int32Array(1)): Budget {
  const gain = Math.round(share * ONE)
  /** Changes what is spent, unless it would leave its bounds. */
  const change = (by: number, bound: (spent: number) => number | undefined): boolean => {
    for (;;) {
      const spent = Atomics.load(words, SPENT)
      const next = bound(spent + by)
      if (next === undefined) return false
      if (next === spent || Atomics.compareExchange(words, SPENT, spent, next) === spent) return true
    }
  }
  return {
    earn: () => void change(-gain, (spent) => Math.max(0, spent)),
    spend: () => gain > 0 && change(ONE, (spent) => (spent > MOST * ONE ? undefined : spent))
  }
}
