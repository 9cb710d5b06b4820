import type { Survey } from './survey.ts'

/** Queries counted over some time, by name (with its final dot, lower case) and country ('' where it is not known). */
export interface Asked {
  /** All queries, those of names that no policy steers among them. */
  readonly total: number
  readonly names: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** Wall milliseconds: from when on there are counts, and up to when. */
  readonly since: number
  readonly until: number
}

/** Queries of one policy, all its names together, by country. */
export type AskedOfPolicy = ReadonlyMap<string, number>

export function askedByPolicy(asked: Asked, policyOf: (name: string) => string | undefined): Map<string, Map<string, number>> {
  const found = new Map<string, Map<string, number>>()
  for (const [name, countries] of asked.names) {
    const policy = policyOf(name)
    if (policy === undefined) continue
    const into = found.get(policy) ?? new Map<string, number>()
    found.set(policy, into)
    for (const [country, count] of countries) into.set(country, (into.get(country) ?? 0) + count)
  }
  return found
}

export const sumOf = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, count) => sum + count, 0)

/**
 * How the viewers of a policy are spread over the groups of a survey: shares that add up to 1. Countries by their queries
 * where there are any, else by their addresses; networks within a country by their addresses.
 */
export function spread(survey: Survey, asked: AskedOfPolicy | undefined): Map<string, number> {
  const countries = new Map<string, number>()
  for (const { country, addresses } of survey.values()) countries.set(country, (countries.get(country) ?? 0) + addresses)
  const counted = new Map([...(asked ?? [])].filter(([country, count]) => country !== '' && count > 0 && countries.has(country)))
  const weights = counted.size > 0 ? counted : countries
  const total = sumOf(weights)
  return new Map([...survey].map(([key, { country, addresses }]) => [key, ((weights.get(country) ?? 0) / total) * (addresses / countries.get(country)!)]))
}
