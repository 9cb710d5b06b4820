import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { isHanging, mainThread, type Thread } from '../../fleet/silence.ts'

t.test('what a silent process is held to do', async (t) => {
  const thread = (state: string, cpuMs: number): Thread => ({ state, cpuMs })
  t.equal(isHanging(thread('T', 100), thread('T', 100)), true, 'a stopped one hangs')
  t.equal(isHanging(thread('S', 100), thread('S', 100)), true, 'so does one that sleeps: its heartbeat is due')
  t.equal(isHanging(thread('R', 100), thread('R', 100)), false, 'one that gets no processor does not')
  t.equal(isHanging(thread('R', 100), thread('R', 290)), false, 'nor one that gets little')
  t.equal(isHanging(thread('R', 100), thread('R', 300)), true, 'one that runs and is not heard does')
  t.equal(isHanging(thread('R', 100), thread('S', 100)), true)
  t.equal(isHanging(undefined, undefined), true, 'where the system does not tell, silence is all there is')
})

t.test('the main thread as the kernel sees it', { skip: process.platform === 'linux' ? false : 'needs /proc' }, async (t) => {
  const child = spawn(process.execPath, ['-e', 'console.log(1); for (;;);'], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  // It may wait for a page of memory for a moment.
  let first = mainThread(child.pid!)
  for (let tries = 0; tries < 600 && first?.state !== 'R'; tries++) {
    await sleep(50)
    first = mainThread(child.pid!)
  }
  t.equal(first?.state, 'R')
  for (let tries = 0; tries < 600 && !isHanging(first, mainThread(child.pid!)); tries++) await sleep(50)
  t.ok(isHanging(first, mainThread(child.pid!)), 'an endless loop hangs')
  child.kill('SIGSTOP')
  for (let tries = 0; tries < 1500 && mainThread(child.pid!)?.state !== 'T'; tries++) await sleep(20)
  t.equal(mainThread(child.pid!)?.state, 'T')
  t.equal(mainThread(2 ** 22 + 1), undefined, 'there is no such process')
})
