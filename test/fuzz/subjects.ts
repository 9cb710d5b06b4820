import { answerSubject } from './answer.ts'
import { keysSubject, messageSubject, tsigSubject } from './messages.ts'
import { responseSubject } from './responses.ts'
import type { Subject } from './subject.ts'
import { updateSubject } from './updates.ts'
import { rdataSubject, zoneSubject } from './zones.ts'

/** Every part, made ready anew. */
export function makeSubjects(): Subject[] {
  return [answerSubject(), messageSubject(), tsigSubject(), keysSubject(), updateSubject(), zoneSubject(), rdataSubject(), responseSubject()]
}
