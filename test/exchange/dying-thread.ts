import { parentPort, workerData } from 'node:worker_threads'
import type { ExchangeData, ToThread } from '../../daemon/exchange/exchange.ts'

// A thread in place of the exchange's own: takes worlds, and dies when it is given a lane for the first time.

const { number } = workerData as ExchangeData
parentPort!.on('message', (message: ToThread) => {
  if (message.kind === 'world') parentPort!.postMessage({ kind: 'using', number: message.number })
  if (message.kind === 'lane') throw new Error('as the test wants it')
})
parentPort!.postMessage({ kind: 'using', number })
