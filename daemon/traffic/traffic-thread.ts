import { parentPort, workerData } from 'node:worker_threads'
import { openWorld, type WorldImage } from '../world.ts'
import { answerQuestion, type Question } from './questions.ts'

// The entry of the thread that answers one question about a whole world, and ends.

const { world, question } = workerData as { readonly world: WorldImage; readonly question: Question }
parentPort!.postMessage(answerQuestion(openWorld(world), world, question))
