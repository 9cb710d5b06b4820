import type { Random } from '../helpers/random.ts'
import { answerSubject } from './answer.ts'
import { keysSubject, messageSubject, tsigSubject } from './messages.ts'
import { updateSubject } from './updates.ts'
import { rdataSubject, zoneSubject } from './zones.ts'

/** A part of the program that is fed what nobody would send. */
export interface Subject {
  readonly name: string
  /** Feeds it one input. @throws Broken when it does what it must never do */
  feed(random: Random): void
}

/** Every part, made ready anew. */
export function makeSubjects(): Subject[] {
  return [answerSubject(), messageSubject(), tsigSubject(), keysSubject(), updateSubject(), zoneSubject(), rdataSubject()]
}
