import type { Target } from './types.ts'

/** The name by which a target is checked, shown and forced: of an edge its own, of any other its check and what it is, as `web@192.0.2.7`. */
export const checkedName = ({ name, check }: Pick<Target, 'name' | 'check'>): string => (check === undefined ? name : `${check}@${name.replace(/(?<=.)\.$/, '')}`)
