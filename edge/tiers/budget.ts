/** What may be done beside the requests themselves, as a share of them: so many at once when none was done for long, then one for each 1 / share requests. */
export interface Budget {
  /** A request is made. */
  earn(): void
  /** Takes one from the budget; false when it is spent. */
  spend(): boolean
}

/** At once, when nothing was spent for long. */
const MOST = 10

export function makeBudget(share: number): Budget {
  let left = share > 0 ? MOST : 0
  return {
    earn: () => void (left = Math.min(MOST, left + share)),
    spend: () => {
      // Sums of tenths fall short of one by a rounding.
      if (left < 1 - 1e-9) return false
      left--
      return true
    }
  }
}
