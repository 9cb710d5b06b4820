import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/**
 * A package that is loaded when it is first called for. Most of a server's threads import a room for its look-ups alone, and never read
 * the files that the package is for: loading it in each of them would be most of what their start costs.
 * @param name of a package that can be required
 */
export function lazyPackage<T>(name: string): () => T {
  let loaded: T | undefined
  return () => (loaded ??= require(name) as T)
}
