import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, type Stats } from 'node:fs'

/** Files up to here are read in one go, into memory that many of them share. */
const SHORT = 1 << 12

/**
 * The octets of a file, whole. A device or a pipe is refused: it may have no end, or nobody who writes to it.
 * @param seen told what the file looks like before it is read
 * @throws what the system says, or that it is no regular file
 */
export function readRegularFile(path: string, seen?: (stat: Stats) => void): Buffer {
  // A pipe that nobody writes to would never be open.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile() && !stat.isDirectory()) throw new Error('it is no regular file')
    seen?.(stat)
    if (stat.size === 0 || stat.size >= SHORT || stat.isDirectory()) return readFileSync(fd)
    const text = Buffer.allocUnsafe(stat.size)
    let end = 0
    for (let read = -1; read !== 0 && end < text.length; end += read) read = readSync(fd, text, end, text.length - end, end)
    return text.subarray(0, end)
  } finally {
    closeSync(fd)
  }
}
