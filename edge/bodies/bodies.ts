import { readdirSync, readFileSync, readlinkSync, writevSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import { native } from '../../core/native.ts'

/** Smaller bodies are cheaper to copy than to look for. */
const LEAST = 32 * 1024
const PAGE = 4096
/** Octets that the kernel takes for a file and its mapping, beside whole pages; rounded up. */
const FILE_OVERHEAD = 4096
/** Of the file descriptors that the process may have, one in so many; and no more than this: mappings are limited too. */
const SHARE = 4
const MOST_FILES = 16_384
const DEFAULT_DESCRIPTORS = 1024
/** linux/memfd.h, linux/fcntl.h, sys/mman.h. */
const [MFD_CLOEXEC, MFD_ALLOW_SEALING] = [1, 2]
const [F_ADD_SEALS, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_FUTURE_WRITE] = [1033, 2, 4, 16]
const [PROT_READ, PROT_WRITE, MAP_PRIVATE] = [1, 2, 2]
/** Buffers that are written by one call: IOV_MAX. */
const AT_ONCE = 1024

const files = new WeakMap<ArrayBufferLike, number>()

/** The file in which a body lies, at its `byteOffset`; undefined where it lies in none. For as long as the body is held. */
export const fileOf = (body: Buffer): number | undefined => files.get(body.buffer)

/** Octets of memory that a body takes. */
export const octetsOf = (body: Buffer): number => (fileOf(body) === undefined ? body.length : Math.ceil(body.length / PAGE) * PAGE + FILE_OVERHEAD)

/** Where bodies are put into files. */
export interface Bodies {
  /** What these pieces come to, in a file of its own where that is worth it and can be had; `size` are the octets of all. */
  gather(pieces: readonly Buffer[], size: number): Buffer
}

/** What the files of a thread are called. */
const nameOf = (thread: number): string => `nearcast-body.${thread}`

/** @param most files at once. @returns undefined where the system has no such files */
export function makeBodies(most: number): Bodies | undefined {
  const system = systemOf()
  if (system === undefined) return undefined
  let count = 0
  const gone = new FinalizationRegistry(({ file, address, size }: { file: number; address: number; size: number }) => {
    count--
    system.unmap(address, size)
    system.close(file)
  })
  return {
    gather: (pieces, size) => {
      if (size < LEAST || count >= most) return joined(pieces, size)
      const file = system.create()
      if (file < 0) return joined(pieces, size)
      const mapped = fill(file, pieces) && system.seal(file) ? system.map(file, size) : undefined
      if (mapped === undefined) {
        system.close(file)
        return joined(pieces, size)
      }
      count++
      files.set(mapped.memory, file)
      gone.register(mapped.memory, { file, address: mapped.address, size })
      return Buffer.from(mapped.memory)
    }
  }
}

/** Gives back what a thread that is gone had in files. @param thread its number while it was there */
export function reclaimBodies(thread: number): void {
  const system = systemOf()
  if (system === undefined) return
  const name = `/memfd:${nameOf(thread)} (deleted)`
  try {
    for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line) ?? []
      if (from === undefined || to === undefined || !line.endsWith(name)) continue
      system.unmap(Number.parseInt(from, 16), Number.parseInt(to, 16) - Number.parseInt(from, 16))
    }
    for (const file of readdirSync('/proc/self/fd')) if (linkOf(file) === name) system.close(Number(file))
  } catch {
    // Where there is no /proc, or no descriptor to read it by, they stay until the process ends.
  }
}

function linkOf(file: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${file}`)
  } catch {
    // Closed since it was listed.
    return undefined
  }
}

/** Pieces put together in memory of their own. */
export function joined(pieces: readonly Buffer[], size: number): Buffer {
  const body = Buffer.allocUnsafeSlow(size)
  let at = 0
  for (const piece of pieces) at += piece.copy(body, at)
  return body
}

/** Whether all of it could be written: memory may be short. */
function fill(file: number, pieces: readonly Buffer[]): boolean {
  try {
    for (let from = 0; from < pieces.length; from += AT_ONCE) {
      const some = pieces.slice(from, from + AT_ONCE)
      if (writevSync(file, some) < some.reduce((sum, { length }) => sum + length, 0)) return false
    }
    return true
  } catch {
    return false
  }
}

interface System {
  /** @returns a new, empty file; negative where there is none */
  create(): number
  /** In a worker Node.js warns of a file that it closes and has not opened. */
  close(file: number): void
  /** From here on nothing changes the file. */
  seal(file: number): boolean
  map(file: number, size: number): { readonly memory: ArrayBuffer; readonly address: number } | undefined
  unmap(address: number, size: number): void
}

function systemOf(): System | undefined {
  const library = process.platform === 'linux' ? native() : undefined
  if (library === undefined) return undefined
  try {
    const create = library.call('int memfd_create(const char *, unsigned int)')
    const close = library.call('int close(int)')
    const control = library.call('int fcntl(int, int, int)')
    const map = library.call('intptr_t mmap(void *, size_t, int, int, int, int64_t)')
    const unmap = library.call('int munmap(intptr_t, size_t)')
    return {
      create: () => create(nameOf(threadId), MFD_CLOEXEC | MFD_ALLOW_SEALING),
      close: (file) => void close(file),
      seal: (file) => control(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE) === 0,
      map: (file, size) => {
        // Of its own for writing: whoever wrote into a body by mistake would not change what others are sent.
        const address = map(null, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0)
        return address === -1 ? undefined : { memory: library.view(address, size), address }
      },
      unmap: (address, size) => void unmap(address, size)
    }
  } catch {
    // A C library without these.
    return undefined
  }
}

/** How many files the limits of this process allow for all its threads. */
export function mostFiles(): number {
  try {
    const limit = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? DEFAULT_DESCRIPTORS)
    return Math.min(MOST_FILES, Math.floor(limit / SHARE))
  } catch {
    return DEFAULT_DESCRIPTORS / SHARE
  }
}
