import { through } from './stand-in.ts'

// The same tests through node:net, which serves where there are no system calls of our own.

through.backend = 'dgram'
await import('./tcp.test.ts')
