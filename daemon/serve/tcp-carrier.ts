import type { Carrier } from './tcp-connection.ts'
import { openNativeCarrier, type NativeOptions } from './tcp-native.ts'
import { openNetCarrier } from './tcp-net.ts'
import type { System } from './system.ts'

/**
 * Opens what carries TCP connections in this thread: by the system's own calls, and by node:net where there are none or it
 * refuses, which `notice` is told.
 */
export function openCarrier(system: System | undefined, options: NativeOptions, notice: (text: string) => void): Carrier {
  const native = system && openNativeCarrier(system, options)
  if (typeof native === 'string') notice(`TCP is served through node:net, at a higher cost per query: ${native}`)
  return native === undefined || typeof native === 'string' ? openNetCarrier(options.outSize) : native
}
