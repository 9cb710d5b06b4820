import type { Fault } from '../../core/trouble.ts'
import { readPolicies, type NetworkPlan, type RoutingImage, type Target } from '../routing/index.ts'
import { fingerprint, type Texts } from './last-good.ts'
import { FORCE_HINT, isBlank, readingFromDisk, readingFromTexts, shownAs, tryRead, wholeFault, type Folder } from './loader-files.ts'

export const POLICIES = 'policies.yaml'

/** Policies that have been read without a fault. */
export interface Policies {
  readonly image: RoutingImage
  readonly names: ReadonlySet<string>
  readonly networks: NetworkPlan
  readonly texts: Texts
  readonly print: string
  readonly warnings: readonly Fault[]
}

export interface PolicyOptions {
  readonly folder: Folder
  /** The edges of nearcast.yaml, in order. */
  readonly targets: readonly Target[]
  /** How many targets the health table has words for. */
  readonly mostTargets: number
}

/** Reads policies.yaml. Without faults there are policies, and the other way about; a folder without the file has none. */
export function readPolicyFile(options: PolicyOptions, current: Policies, force: boolean): { policies?: Policies; faults: readonly Fault[] } {
  const shown = shownAs(options.folder, POLICIES)
  const reading = readingFromDisk(options.folder)
  const text = tryRead(reading, shown)
  if (!Buffer.isBuffer(text)) {
    if (!text.isGone) return { faults: [wholeFault(shown, text.reason)] }
    if (current.texts.size === 0) return { policies: current, faults: [] }
    return force ? judge(options, '', new Map()) : { faults: [wholeFault(shown, text.reason, FORCE_HINT)] }
  }
  if (isBlank(text) && current.names.size > 0 && !force) return { faults: [wholeFault(shown, 'is empty', FORCE_HINT)] }
  if (fingerprint(reading.texts) === current.print) return { policies: current, faults: [] }
  return judge(options, text.toString('utf8'), reading.texts)
}

/** Where nothing has been read yet. */
export function noPolicies(options: PolicyOptions): Policies {
  return judge(options, '', new Map()).policies!
}

/** The policies as they were kept, when they still pass. */
export function restorePolicies(options: PolicyOptions, kept: Texts): Policies | undefined {
  const text = tryRead(readingFromTexts(options.folder, kept), shownAs(options.folder, POLICIES))
  return Buffer.isBuffer(text) ? judge(options, text.toString('utf8'), kept).policies : undefined
}

function judge({ folder, targets, mostTargets }: PolicyOptions, text: string, texts: Texts): { policies?: Policies; faults: readonly Fault[] } {
  const file = shownAs(folder, POLICIES)
  const { image, names, networks, faults } = readPolicies({ file, text: text.trim() === '' ? 'policies: {}\n' : text, targets })
  const warnings = faults.filter(({ severity }) => severity === 'warning')
  if (image === undefined) return { faults }
  if (image.targets.length > mostTargets) {
    const most = mostTargets - targets.length
    return { faults: [...faults, wholeFault(file, `names ${image.targets.length - targets.length} plain addresses; ${most} at most are possible`)] }
  }
  return { policies: { image, names, networks, texts, print: fingerprint(texts), warnings }, faults: [] }
}
