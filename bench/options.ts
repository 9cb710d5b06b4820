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
