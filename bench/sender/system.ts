import { loadSystem, type System } from '../../daemon/serve/system.ts'

/** The system calls of the sender: those of the server, and what a client of TCP needs. */
export interface SenderSystem extends System {
  connect(fd: number, address: number, size: number): number
  send(fd: number, octets: number, length: number, flags: number): number
  recv(fd: number, octets: number, length: number, flags: number): number
}

export const SOCK_STREAM = 1
export const SOCK_CLOEXEC = 0x80000
export const IPPROTO_TCP = 6
export const TCP_NODELAY = 1
export const MSG_NOSIGNAL = 0x4000

/** @throws Error with why there are none here */
export async function loadSenderSystem(): Promise<SenderSystem> {
  const system = await loadSystem()
  if (typeof system === 'string') throw new Error(`the sender needs batched system calls: ${system}`)
  const { default: koffi } = await import('koffi')
  const libc = koffi.load(null)
  return {
    ...system,
    connect: libc.func('connect', 'int', ['int', 'uintptr_t', 'uint']),
    send: libc.func('send', 'long', ['int', 'uintptr_t', 'ulong', 'int']),
    recv: libc.func('recv', 'long', ['int', 'uintptr_t', 'ulong', 'int'])
  }
}
