import { MSG_DONTWAIT, type System } from './system.ts'

/** Sends one datagram from a socket that others serve. False: it could not be taken, and is dropped. */
export type Send = (fd: number, name: Uint8Array, control: Uint8Array, message: Uint8Array) => boolean

/** Octets of a datagram, and where its parts stand: header, vector, address, control data, data. */
const MOST = 1232
const VECTOR = 64
const NAME = VECTOR + 16
const CONTROL = NAME + 32
const DATA = CONTROL + 64

/** Makes a sender with memory of its own; for the layout of the headers see batch.ts. */
export function makeSender(system: System): Send {
  const { address, bytes } = system.alloc(DATA + MOST)
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, DATA / 4)
  const pointer = (at: number, target: number): void => {
    words[at / 4] = target >>> 0
    words[at / 4 + 1] = Math.floor(target / 2 ** 32)
  }
  pointer(0, address + NAME)
  pointer(16, address + VECTOR)
  words[24 / 4] = 1
  pointer(VECTOR, address + DATA)
  return (fd, name, control, message) => {
    if (message.length > MOST) return false
    bytes.set(name, NAME)
    bytes.set(control, CONTROL)
    bytes.set(message, DATA)
    words[8 / 4] = name.length
    pointer(32, control.length === 0 ? 0 : address + CONTROL)
    words[40 / 4] = control.length
    words[(VECTOR + 8) / 4] = message.length
    return system.sendmmsg(fd, address, 1, MSG_DONTWAIT) === 1
  }
}
