import type { ChildProcess } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../core/clock.ts'
import { end, familyOf } from '../processes.ts'
import type { Data, Running, StartOptions } from './types.ts'
import { benchZone, BENCH_ZONE, MILLION_ZONE } from './zones.ts'

export const originOf = (data: Data): string => (data === 'million' ? MILLION_ZONE : BENCH_ZONE)

/** The large zone takes some of them long. */
const UP_WITHIN_MS = 180_000

/** Waits until a server answers for the zone with an address, or its process has ended. */
export async function whenUp({ port, data }: StartOptions, program: { child: ChildProcess; said(): string }): Promise<Running> {
  const labels = ['www', ...originOf(data).split('.')].map((label) => String.fromCharCode(label.length) + label).join('')
  const query = Buffer.concat([Buffer.from('123400000001000000000000', 'hex'), Buffer.from(`${labels}\0\0\x01\0\x01`, 'latin1')])
  const socket = createSocket('udp4')
  const answers: Buffer[] = []
  // SERVFAIL and REFUSED come from those that are up before their zone is.
  socket.on('message', (answer) => {
    if ((answer[3]! & 15) === 0 && answer[7]! > 0) answers.push(answer)
  })
  socket.on('error', () => undefined)
  const giveUp = systemClock.elapsed() + UP_WITHIN_MS
  while (answers.length === 0 && program.child.exitCode === null && systemClock.elapsed() < giveUp) {
    socket.send(query, port, '127.0.0.1')
    await sleep(10)
  }
  socket.close()
  if (answers.length === 0) {
    await end(program.child)
    throw new Error(`does not come up: ${program.said().trim().split('\n').slice(-3).join(' / ')}`)
  }
  return { pids: () => familyOf(program.child.pid!), stop: () => end(program.child) }
}

/** The zone that is served, as a file: the large one where it lies, or a small one with `routed` for the names by country. */
export function zoneFile({ folder, data, files }: StartOptions, routed?: string): string {
  if (data === 'million') return files.million
  const file = join(folder, 'zone')
  writeFileSync(file, benchZone(data === 'routed' ? routed : undefined))
  return file
}
