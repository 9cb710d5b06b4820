import { fstatSync, readFileSync, writevSync } from 'node:fs'
import { native } from '../../core/native.ts'
import { senderOfThread } from './sender.ts'

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
const F_DUPFD_CLOEXEC = 1030
const [F_ADD_SEALS, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_FUTURE_WRITE] = [1033, 2, 4, 16]
const [PROT_READ, PROT_WRITE, MAP_PRIVATE] = [1, 2, 2]
/** Buffers that are written by one call: IOV_MAX. */
const AT_ONCE = 1024

/** A file of memory that is mapped, for as long as the body in it is held. */
interface Mapped {
  readonly file: number
  readonly address: number
}

const files = new WeakMap<ArrayBufferLike, Mapped>()

/** The file in which a body lies, at its `byteOffset`; undefined where it lies in none. */
export const fileOf = (body: Buffer): number | undefined => files.get(body.buffer)?.file

/** Where in memory the first octet of such a body is. */
export const addressOf = (body: Buffer): number => files.get(body.buffer)!.address + body.byteOffset

/** Octets of memory that a body takes. */
export const octetsOf = (body: Buffer): number => (fileOf(body) === undefined ? body.length : Math.ceil(body.length / PAGE) * PAGE + FILE_OVERHEAD)

/** A file of a body, as other threads may know it. */
export interface BodyFile {
  readonly file: number
  readonly size: number
  /** Descriptors are given again, inodes are not. */
  readonly inode: number
}

/** Undefined where the body lies in no file. */
export function bodyFileOf(body: Buffer): BodyFile | undefined {
  const file = fileOf(body)
  return file === undefined ? undefined : { file, size: body.length, inode: inodeOf(file)! }
}

function inodeOf(file: number): number | undefined {
  try {
    return fstatSync(file).ino
  } catch {
    // Closed: its thread is gone.
    return undefined
  }
}

/** Where bodies are put into files. */
export interface Bodies {
  /** What these pieces come to, in a file of its own where that is worth it and can be had; `size` are the octets of all. */
  gather(pieces: readonly Buffer[], size: number): Buffer
  /** A body that lies in the file of another thread, for as long as it is held here. Undefined where that is gone, or there is no room. */
  borrow(file: BodyFile): Buffer | undefined
}

const NAME = 'nearcast-body'
/** Of a row: the descriptor and one more, 0 where the row is free; where the file is mapped; its size. */
const ROW = 3

/** Rows of what bodies are sent by, which are mapped nowhere. */
const SENDING = 3

/** Where it is written which files a thread has, so that they can be given back when it is gone. @param most files of bodies at once */
export const roomForBodies = (most: number): SharedArrayBuffer => new SharedArrayBuffer((SENDING + most) * ROW * 8)

/** @param room for as many files as there may be. @returns undefined where the system has no such files */
export function makeBodies(room: SharedArrayBuffer): Bodies | undefined {
  const system = systemOf()
  if (system === undefined) return undefined
  const rows = new Float64Array(room)
  for (const [row, file] of (senderOfThread()?.files ?? []).entries()) rows[row * ROW] = file + 1
  const free = Array.from({ length: rows.length / ROW - SENDING }, (_, row) => (SENDING + row) * ROW).reverse()
  const gone = new FinalizationRegistry(({ row, file, address, size }: { row: number; file: number; address: number; size: number }) => {
    // Nobody else gives back what is no longer written here.
    rows[row] = 0
    free.push(row)
    system.unmap(address, size)
    system.close(file)
  })
  /** Maps a file, which is ours from now on. */
  const hold = (file: number, size: number): Buffer | undefined => {
    const mapped = system.map(file, size)
    if (mapped === undefined) {
      system.close(file)
      return undefined
    }
    const { memory, address } = mapped
    const row = free.pop()!
    rows[row + 2] = size
    rows[row + 1] = address
    rows[row] = file + 1
    files.set(memory, { file, address })
    gone.register(memory, { row, file, address, size })
    return Buffer.from(memory)
  }
  return {
    gather: (pieces, size) => {
      if (size < LEAST || free.length === 0) return joined(pieces, size)
      const file = system.create()
      if (file < 0) return joined(pieces, size)
      if (fill(file, pieces) && system.seal(file)) return hold(file, size) ?? joined(pieces, size)
      system.close(file)
      return joined(pieces, size)
    },
    borrow: ({ file, size, inode }) => {
      const own = free.length === 0 ? -1 : system.duplicate(file)
      if (own < 0) return undefined
      if (inodeOf(own) === inode) return hold(own, size)
      system.close(own)
      return undefined
    }
  }
}

/** Gives back what a thread that is gone had in files. @param room where it wrote of them */
export function reclaimBodies(room: SharedArrayBuffer): void {
  const system = systemOf()
  const rows = new Float64Array(room)
  if (system !== undefined) {
    for (let row = 0; row < rows.length; row += ROW) {
      if (rows[row] === 0) continue
      if (rows[row + 1] !== 0) system.unmap(rows[row + 1]!, rows[row + 2]!)
      system.close(rows[row]! - 1)
    }
  }
  rows.fill(0)
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
  /** The same file by another descriptor; negative where there is none. */
  duplicate(file: number): number
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
      create: () => create(NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING),
      duplicate: (file) => control(file, F_DUPFD_CLOEXEC, 0),
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
