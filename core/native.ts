import { createRequire } from 'node:module'

/** Functions of the C library, called with and giving back plain numbers. Undefined where koffi has no binary for this system. */
export interface Native {
  /** `declaration` is a C prototype, such as `int flock(int, int)`. */
  call(declaration: string): (...values: unknown[]) => number
  /** The error number of the call before. */
  errno(): number
  /** So many octets of the process's memory at an address, which must stay there for as long as anything reads them. */
  view(address: number, size: number): ArrayBuffer
}

let loaded: Native | undefined
let tried = false

/** The C library this process runs on, loaded when first asked for. */
export function native(): Native | undefined {
  if (tried) return loaded
  tried = true
  if (process.platform === 'win32') return undefined
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    const library = koffi.load(null)
    loaded = { call: (declaration) => library.func(declaration) as (...values: unknown[]) => number, errno: () => koffi.errno(), view: (address, size) => koffi.view(address, size) }
  } catch {
    loaded = undefined
  }
  return loaded
}

const PR_SET_PDEATHSIG = 1

/**
 * Asks Linux to send this process `signal` once its parent has ended, however it ended; it reaches a stopped process too.
 * Does nothing elsewhere.
 */
export function signalOnParentDeath(signal: number): void {
  if (process.platform !== 'linux') return
  native()?.call('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)')(PR_SET_PDEATHSIG, signal, 0, 0, 0)
}
