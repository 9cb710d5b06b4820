import { readFileSync, statSync } from 'node:fs'

/**
 * The octets of a file, whole. A device or a pipe is refused: it may have no end, or nobody who writes to it.
 * @throws what the system says, or that it is no regular file
 */
export function readRegularFile(path: string): Buffer {
  const stat = statSync(path)
  if (!stat.isFile() && !stat.isDirectory()) throw new Error('it is no regular file')
  return readFileSync(path)
}
