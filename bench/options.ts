import { suggestion } from '../core/suggest.ts'

/** What the command line says to a bench. */
export interface BenchOptions {
  readonly rounds: number
  readonly seconds: number
  /** Operations per second that are offered; absent: what the bench thinks right. */
  readonly rate?: number
  /** Workers of each server; absent: one, and two where that says something. */
  readonly threads?: number
  /** Leave out everything but these, by name; empty: everything. */
  readonly only: readonly string[]
  /** The folder with the public traces. */
  readonly traces?: string
  /** A database of cities. */
  readonly city?: string
}

/** Refuses a part that is in the name of nothing that could be left in. */
export function refuseUnknown(only: readonly string[], names: readonly string[], what: string): void {
  for (const part of only) if (!names.some((name) => name.includes(part))) throw new Error(`--only ${part}: there is no such ${what}; ${suggestion(part, names) ?? `there are ${names.join(', ')}`}`)
}
