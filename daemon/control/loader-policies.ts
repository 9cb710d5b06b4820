import type { Fault } from '../../core/trouble.ts'
import { readPolicies, type NetworkPlan, type RoutingImage, type Target } from '../routing/index.ts'
import type { PolicyNames } from '../zone/index.ts'
import { fingerprint, type Texts } from './last-good.ts'
import { absoluteOf, FORCE_HINT, isBlank, readingFromDisk, readingFromTexts, shownAs, tryRead, wholeFault, type Folder, type Reading } from './loader-files.ts'

export const POLICIES = 'policies.yaml'

/** Policies that have been read without a fault. */
export interface Policies {
  readonly image: RoutingImage
  readonly names: PolicyNames
  readonly networks: NetworkPlan
  readonly texts: Texts
  readonly print: string
  readonly warnings: readonly Fault[]
}

export interface PolicyOptions {
  readonly folder: Folder
  /** The edges of nearcast.yaml, in order. */
  readonly targets: readonly Target[]
  /** Names of the checks that other targets may have. */
  readonly checks?: readonly string[]
  /** How many targets the health table has words for. */
  readonly mostTargets: number
  /** Whether there is a database of autonomous systems. Absent: nobody looked. */
  hasAsDatabase?(): boolean
}

/** What came of reading the policies: without faults there are some, and the other way about. */
export interface PolicyAttempt {
  readonly policies?: Policies
  readonly faults: readonly Fault[]
  /** Files that they name, absolute, whether they could be read or not. */
  readonly follows: ReadonlySet<string>
}

const NONE: ReadonlySet<string> = new Set()

/** Reads policies.yaml and what it names; a folder without the file has no policies. */
export function readPolicyFile(options: PolicyOptions, current: Policies, force: boolean): PolicyAttempt {
  const shown = shownAs(options.folder, POLICIES)
  const reading = readingFromDisk(options.folder)
  const text = tryRead(reading, shown)
  if (!Buffer.isBuffer(text)) {
    if (!text.isGone) return { faults: [wholeFault(shown, text.reason)], follows: NONE }
    if (current.texts.size === 0) return { policies: current, faults: [], follows: NONE }
    return force ? judge(options, '', readingFromTexts(options.folder, new Map())) : { faults: [wholeFault(shown, text.reason, FORCE_HINT)], follows: NONE }
  }
  if (isBlank(text) && current.names.size > 0 && !force) return { faults: [wholeFault(shown, 'is empty', FORCE_HINT)], follows: NONE }
  if (isSame(options, current, reading, text)) return { policies: current, faults: [], follows: followsOf(options, reading) }
  return judge(options, text.toString('utf8'), reading)
}

/** Whether the file and all that it named are as they were. */
function isSame({ folder }: PolicyOptions, { texts }: Policies, reading: Reading, text: Buffer): boolean {
  if (texts.get(POLICIES)?.equals(text) !== true) return false
  return [...texts].every(([path, before]) => {
    const now = tryRead(reading, shownAs(folder, path))
    return Buffer.isBuffer(now) && now.equals(before)
  })
}

function followsOf({ folder }: PolicyOptions, { asked }: Reading): ReadonlySet<string> {
  const own = absoluteOf(folder, shownAs(folder, POLICIES))
  return new Set([...asked].filter((path) => path !== own))
}

/** Where nothing has been read yet. */
export function noPolicies(options: PolicyOptions): Policies {
  return judge(options, '', readingFromTexts(options.folder, new Map())).policies!
}

/** The policies as they were kept, when they still pass. */
export function restorePolicies(options: PolicyOptions, kept: Texts): Policies | undefined {
  if (kept.size === 0) return noPolicies(options)
  const reading = readingFromTexts(options.folder, kept)
  const text = tryRead(reading, shownAs(options.folder, POLICIES))
  return Buffer.isBuffer(text) ? judge(options, text.toString('utf8'), reading).policies : undefined
}

function judge(options: PolicyOptions, text: string, reading: Reading): PolicyAttempt {
  const { folder, targets, checks = [], mostTargets } = options
  const file = shownAs(folder, POLICIES)
  const { image, names, networks, faults } = readPolicies({ file, text: text.trim() === '' ? 'policies: {}\n' : text, targets, checks, read: reading.read, hasAsDatabase: options.hasAsDatabase?.() })
  const follows = followsOf(options, reading)
  const { texts } = reading
  const warnings = faults.filter(({ severity }) => severity === 'warning')
  if (image === undefined) return { faults, follows }
  if (image.targets.length > mostTargets) {
    const most = mostTargets - targets.length
    return { faults: [...faults, wholeFault(file, `names ${image.targets.length - targets.length} addresses and names; ${most} at most are possible`)], follows }
  }
  return { policies: { image, names, networks, texts, print: fingerprint(texts), warnings }, faults: [], follows }
}
