import { Worker } from 'node:worker_threads'
import type { WorldImage } from '../world.ts'
import type { Answer, Question, Trouble } from './questions.ts'

/** Questions that may wait while one is being answered. */
const MOST_WAITING = 8

/** Answers questions about whole worlds, one after the other, each on a thread of its own: whoever serves goes on serving. */
export function makeSurveyor(world: () => WorldImage | undefined): (question: Question) => Promise<Answer | Trouble> {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  return (question) => {
    if (waiting >= MOST_WAITING) return Promise.resolve({ trouble: 'too many such questions at once: ask again in a moment' })
    waiting++
    const answered = last.then(() => {
      const image = world()
      return image === undefined ? { trouble: 'the zones are still being read' } : ask(image, question)
    })
    last = answered.then(
      () => waiting--,
      () => waiting--
    )
    return answered
  }
}

function ask(world: WorldImage, question: Question): Promise<Answer | Trouble> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./traffic-thread.js', import.meta.url), { workerData: { world, question }, name: 'dns traffic' })
    worker.once('message', (answer: Answer | Trouble) => {
      resolve(answer)
      void worker.terminate()
    })
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the thread that was asked ended without an answer')))
  })
}
