import { readFile, stat } from 'node:fs/promises'
import { createSecureContext, type SecureContext } from 'node:tls'
import { coversName, readCertificatePair, type CertificatePair } from '../../core/certificate.ts'
import type { Logger } from '../../core/log.ts'
import { messageOf, whyUnreadable } from '../../core/trouble.ts'
import { tlsOptions } from './options.ts'

/** A pair of PEM files, and the host names that it is shown for; without names, for all that have no other. */
export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
  readonly names: readonly string[]
}

interface Watched {
  readonly files: CertificateFiles
  /** The last good ones. */
  pair: CertificatePair | undefined
  context: SecureContext | undefined
  /** What the files looked like when they were read, and when they were looked at last. */
  read: string
  seen: string
}

const POLL_MS = 500
const DAY = 86_400_000
const TICKET_OCTETS = 48

/** The certificates of one edge; looks at their files twice a second until it is closed. */
export class Certificates {
  readonly #watched: readonly Watched[]
  readonly #ticketFile: string
  readonly #log: Logger
  readonly #now: () => number
  #byName = new Map<string, SecureContext>()
  #timer: NodeJS.Timeout | undefined
  #looking = false
  #ticketsSeen = ''
  #ticketKeys: Buffer | undefined
  #changed: () => void = () => undefined

  /** @param options `ticketFile` holds the 48 octets by which session tickets are sealed; without it tickets end with the process */
  constructor(options: { files: readonly CertificateFiles[]; ticketFile: string; log: Logger; now: () => number }) {
    this.#watched = options.files.map((files) => ({ files, pair: undefined, context: undefined, read: '', seen: '' }))
    this.#ticketFile = options.ticketFile
    this.#log = options.log
    this.#now = options.now
  }

  /** Reads them all and begins to watch. What cannot be read is told, and read as soon as it can be. */
  async open(): Promise<void> {
    for (const watched of this.#watched) {
      watched.read = watched.seen = await lookOf(watched.files)
      await this.#read(watched)
    }
    await this.#readTickets()
    this.#timer = setInterval(() => void this.#look(), POLL_MS)
  }

  /** Shown to clients that name no server, or none of ours. */
  get standard(): CertificatePair | undefined {
    return (this.#watched.find(({ files, pair }) => files.names.length === 0 && pair !== undefined) ?? this.#watched.find(({ pair }) => pair !== undefined))?.pair
  }

  /** The one for a server name; undefined: the standard one. */
  contextFor(serverName: string): SecureContext | undefined {
    return this.#byName.get(serverName.toLowerCase())
  }

  get ticketKeys(): Buffer | undefined {
    return this.#ticketKeys
  }

  /** From now on tells whoever shows them that they are others. */
  onChange(changed: () => void): void {
    this.#changed = changed
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    for (const watched of this.#watched) {
      const look = await lookOf(watched.files)
      // Two files do not change at once: only what has come to rest is read.
      const isAtRest = look === watched.seen
      watched.seen = look
      if (!isAtRest || look === watched.read) continue
      watched.read = look
      await this.#read(watched)
    }
    await this.#readTickets()
    this.#looking = false
  }

  async #read(watched: Watched): Promise<void> {
    const { files } = watched
    const before = watched.context
    const trouble = await this.#load(watched)
    if (trouble !== undefined) this.#log.error(`${trouble}; ${before === undefined ? 'handshakes for its names fail' : 'the last good certificate serves on'}`)
    else if (before !== undefined) this.#log.info(`${files.certificate}: read again`)
    this.#byName = new Map(this.#watched.flatMap(({ files: { names }, context }) => (context === undefined ? [] : names.map((name) => [name, context] as const))))
    this.#changed()
  }

  /** @returns what is wrong, with the file's name */
  async #load(watched: Watched): Promise<string | undefined> {
    const { certificate, key, names } = watched.files
    const texts: string[] = []
    for (const file of [certificate, key]) {
      try {
        texts.push(await readFile(file, 'latin1'))
      } catch (error) {
        return `${file}: cannot be read: ${whyUnreadable(error)}`
      }
    }
    const pair = readCertificatePair(texts[0]!, texts[1]!)
    if (!('leaf' in pair)) return `${watched.files[pair.file]}: ${pair.reason}`
    const left = pair.notAfter - this.#now()
    if (left <= 0 && watched.context !== undefined) return `${certificate}: the new certificate has expired`
    try {
      watched.context = createSecureContext({ ...tlsOptions, cert: pair.certificate, key: pair.key })
    } catch (error) {
      return `${certificate}: ${messageOf(error)}`
    }
    watched.pair = pair
    if (left < 7 * DAY) this.#log.warn(`${certificate}: ${left <= 0 ? 'the certificate has expired' : `the certificate expires in ${Math.floor(left / DAY)} days`}`)
    for (const name of names) if (!coversName(pair.leaf, name)) this.#log.warn(`${certificate}: the certificate is not for ${name}`)
    return undefined
  }

  async #readTickets(): Promise<void> {
    try {
      const { mtimeMs, ino } = await stat(this.#ticketFile)
      if (`${mtimeMs} ${ino}` === this.#ticketsSeen) return
      const keys = await readFile(this.#ticketFile)
      if (keys.length !== TICKET_OCTETS) return
      this.#ticketsSeen = `${mtimeMs} ${ino}`
      this.#ticketKeys = keys
      this.#changed()
    } catch {
      // Without the file, tickets last as long as this process.
    }
  }
}

/** How both files look from outside. */
async function lookOf({ certificate, key }: CertificateFiles): Promise<string> {
  const looks: string[] = []
  for (const file of [certificate, key]) {
    try {
      const { mtimeMs, size, ino } = await stat(file)
      looks.push(`${mtimeMs} ${size} ${ino}`)
    } catch (error) {
      looks.push(whyUnreadable(error))
    }
  }
  return looks.join()
}
