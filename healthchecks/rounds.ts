import { schedule, validateDetailed } from 'node-cron'

/**
 * Calls `begin` at every time that a node-cron expression names (seconds are its first field), and once now for the time until the
 * first of them.
 * @param begin is told how long the round that begins will last, in milliseconds
 * @returns what ends it
 * @throws Error when the expression is not one
 */
export function startRounds(expression: string, begin: (lengthMs: number, first: boolean) => void): () => void {
  const { valid, errors } = validateDetailed(expression)
  if (!valid) throw new Error(`${expression} is not a cron expression: ${errors.map((error) => error.message).join('; ')}`)
  const task = schedule(expression, () => begin(task.msToNext() ?? LONGEST_ROUND_MS, false), { suppressMissedWarning: true, unref: true })
  begin(task.msToNext() ?? LONGEST_ROUND_MS, true)
  return () => void task.destroy()
}

/** For expressions that name no further time. */
const LONGEST_ROUND_MS = 3_600_000
