import { EarlyThread } from '../core/early-thread.ts'

/** The loader's thread, begun before there is a configuration for it. Nothing else comes with this file. */
export function prepareLoader(): EarlyThread {
  return new EarlyThread(new URL('./control/loader-thread.js', import.meta.url), 'dns loader')
}
