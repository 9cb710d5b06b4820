import { spawn, spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../helpers/random.ts'
import type { Members } from './edge-members.ts'

/** Octets of the file system in memory on which the members have their disks. */
const DISK = '96m'

/** Has a folder lie on a small file system of its own, where that may be. @returns undoes it; undefined where it may not */
export function mountSmall(folder: string): (() => void) | undefined {
  if (process.getuid?.() !== 0 || spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', folder]).status !== 0) return undefined
  return () => void spawnSync('umount', ['-l', folder])
}

export interface DiskFaults {
  /** How often the disk was full, and how often calls of a member failed. */
  full: number
  failing: number
}

/** Fills the disk for some seconds again and again, and has writing or reading fail in one member. */
export async function troubleDisks(options: { folder: string; isSmall: boolean; members: Members; random: Random; isOver: () => boolean; done: DiskFaults }): Promise<void> {
  const { folder, isSmall, members, random, isOver, done } = options
  const mayTrace = spawnSync('strace', ['-o', '/dev/null', '-e', 'inject=getppid:error=EIO', 'true']).status === 0
  const ballast = join(folder, 'ballast')
  while (!isOver()) {
    await sleep(1000 + random.below(2000))
    const lasting = 1000 + random.below(3000)
    if (isSmall && random.percent(50)) {
      done.full++
      spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=64k'])
      await sleep(lasting)
      rmSync(ballast, { force: true })
    } else if (mayTrace) {
      const pid = members.pidOf(random.pick(members.all))
      if (pid === undefined) continue
      done.failing++
      const calls = random.pick(['pwrite64', 'pread64', 'pread64,pwrite64,fdatasync', 'unlink,rename,ftruncate'])
      const tracer = spawn('strace', ['-f', '-p', String(pid), '-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO`, '-o', '/dev/null'], { stdio: 'ignore' })
      const gone = new Promise((resolve) => tracer.once('exit', resolve).once('error', resolve))
      await Promise.race([gone, sleep(lasting)])
      tracer.kill('SIGINT')
      // Whom it traces may just be ending, for which it would wait.
      await Promise.race([gone, sleep(2000)])
      tracer.kill('SIGKILL')
      await gone
    }
  }
}

/** Purges now this, now that, at all members that are there. */
export async function purger(members: Members, paths: number, random: Random, isOver: () => boolean): Promise<void> {
  for (let number = 1; !isOver(); number++) {
    await sleep(200 + random.below(800))
    const isPrefix = random.percent(20)
    members.purge({ kind: isPrefix ? 'prefix' : 'url', what: `d1 /${random.below(isPrefix ? 10 : paths)}`, soft: random.percent(30), number, at: Math.round(performance.timeOrigin + performance.now()) })
  }
}
