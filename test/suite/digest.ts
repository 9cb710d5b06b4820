/** A file of tests that failed, and for each thing that failed in it where that stands, outermost subtest first, with what tap says of it. */
export interface FailedFile {
  readonly file: string
  readonly faults: readonly Fault[]
}

export interface Fault {
  readonly where: string
  readonly lines: readonly string[]
}

/** What is to be printed of the run so far, and what is known at its end. */
export interface Digest {
  /** What to print for a line of the TAP stream: nothing for most. */
  readonly take: (line: string) => readonly string[]
  readonly failed: readonly FailedFile[]
  /** The line in which tap counts the assertions: there once all files have ended. */
  readonly summary: () => string | undefined
}

/** A result: its indentation, whether it failed, and its name; the directive, when there is one, behind a `#`. */
const RESULT = /^( *)(not )?ok \d+(?: - (.*?))?(?: # (.*))?(?: \{)?$/
const SILENT = /^(TAP version \d+|1\.\.\d+|# time=.*|# No coverage generated|)$/
/** Of a diagnosis: what its name and stack tell too, and how a file is started. */
const KNOWN = ['source', 'args', 'command', 'cwd', 'externalID', 'jobId', 'stdio']
/** How a file ends in which something failed. */
const EXPECTED = ['exitCode: 1', 'signal: null']

/**
 * Reads the TAP of a whole run, in which each file is a subtest that comes in one piece, and keeps of it what one wants to read:
 * a line for each file, what was skipped, and all that is said of what failed.
 */
export function makeDigest(): Digest {
  const failed: { file: string; faults: Fault[] }[] = []
  let block: string[] = []
  /** The file whose own diagnosis follows its result. */
  let ending: { file: string; faults: Fault[]; own: string[] } | undefined
  let summary: string | undefined

  const end = (): readonly string[] => {
    if (ending === undefined) return []
    const { file, faults } = ending
    const own = readable(ending.own)
    ending = undefined
    if (faults.length > 0 && own.every((line) => EXPECTED.includes(line))) return []
    const fault = { where: file, lines: own }
    faults.push(fault)
    return showFault(fault)
  }
  const result = (line: string, isBad: boolean, file: string): readonly string[] => {
    const { faults, skipped } = readBlock(block)
    block = []
    if (!isBad) return [line, ...skipped]
    failed.push({ file, faults })
    // What the file itself is said to have died of: where nothing in it failed, that is all there is.
    ending = { file, faults, own: [] }
    return [line, ...faults.flatMap(showFault), ...skipped]
  }
  const take = (line: string): readonly string[] => {
    if (ending !== undefined && line.startsWith('  ')) {
      if (line === '  ...') return end()
      if (line !== '  ---') ending.own.push(line.slice(2))
      return []
    }
    if (line.startsWith('    ')) {
      block.push(line)
      return []
    }
    const before = end()
    const [, , bad, name = '', directive = ''] = RESULT.exec(line) ?? []
    if (/^(not )?ok /.test(line)) return [...before, ...result(line, bad !== undefined && !/^todo/i.test(directive), name)]
    if (line.startsWith('# { ')) summary = line
    else if (!SILENT.test(line) && !line.startsWith('# Subtest: ')) return [...before, line]
    return before
  }
  return { take, failed, summary: () => summary }
}

/** A fault as it is printed below the line of its file. */
export function showFault(fault: Fault): readonly string[] {
  return [`    ${fault.where}`, ...fault.lines.map((line) => `        ${line}`)]
}

/** What failed and what was skipped within a file. */
function readBlock(lines: readonly string[]): { faults: Fault[]; skipped: string[] } {
  const faults: Fault[] = []
  const skipped: string[] = []
  /** The subtests that are open, and how many faults were known when each began. */
  const open: { name: string; faults: number }[] = []
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!
    const begin = /^( +)# Subtest: (.*)$/.exec(line)
    if (begin !== null) {
      open.length = Math.min(open.length, begin[1]!.length / 4 - 1)
      open.push({ name: begin[2]!, faults: faults.length })
      continue
    }
    const [, indent, bad, name = '', directive = ''] = RESULT.exec(line) ?? []
    if (indent === undefined) continue
    const diagnosis = readDiagnosis(lines, at + 1, indent)
    at += diagnosis.length
    const depth = indent.length / 4
    const own = open[depth - 1]
    open.length = Math.min(open.length, own?.name === name ? depth : depth - 1)
    const isOpened = open.length === depth
    const where = [...open.map((each) => each.name), ...(isOpened ? [] : [name])].join(' > ')
    if (/^skip/i.test(directive)) skipped.push(`    skipped: ${where} (${directive})`)
    // A subtest in which something failed says nothing that this did not.
    const isTold = isOpened && own!.faults < faults.length
    if (bad !== undefined && !/^todo/i.test(directive) && !isTold) faults.push({ where, lines: readable(diagnosis.slice(1, -1).map((each) => each.slice(indent.length + 2))) })
    if (isOpened) open.pop()
  }
  return { faults, skipped }
}

/** A diagnosis without what one need not read: its lines fall into keys, each with the lines that are set in below it. */
function readable(lines: readonly string[]): readonly string[] {
  const keys: string[][] = []
  for (const line of lines) {
    if (/^[\w-]+:/.test(line)) keys.push([line])
    else keys.at(-1)?.push(line)
  }
  const named = keys.map((each) => ({ key: each[0]!.split(':')[0]!, each }))
  const left = [...KNOWN, ...(named.some(({ key }) => key === 'stack') ? ['at'] : [])]
  return named.filter(({ key }) => !left.includes(key)).flatMap(({ each }) => each)
}

/** The YAML that follows a result, with the lines that begin and end it; nothing where none does. */
function readDiagnosis(lines: readonly string[], from: number, indent: string): readonly string[] {
  if (lines[from] !== `${indent}  ---`) return []
  const end = lines.indexOf(`${indent}  ...`, from)
  return lines.slice(from, end === -1 ? undefined : end + 1)
}
