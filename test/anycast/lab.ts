import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALL_UP, INCLUDE, popConf, routerConf } from './bird-conf.ts'
import { LINKS, neighboursOf, NODES, POPS, PREFIXES, ROUTERS, SERVICE, type Pop } from './map.ts'
import { end, enter, findWay, inhabitants, isAlive, launch, makeSpaces, runCommand, signal, until, type Held, type Ran, type Way } from './spaces.ts'

// The lab as it runs: namespaces, cables, BIRDs. What has to be known to end it stands in lab.json of its folder.

/** The path of a socket has room for 107 octets. */
const LONGEST_FOLDER = 90

/** What is written down of a lab. */
interface Written {
  readonly way: Way
  readonly above?: Held
  readonly spaces: Readonly<Record<string, Held>>
  /** By name: `r1 bird`, `icn nearcast`. */
  readonly processes: Record<string, Held>
}

export class Lab {
  readonly folder: string
  readonly #written: Written
  #outlives = true

  private constructor(folder: string, written: Written) {
    this.folder = folder
    this.#written = written
  }

  /** The one that is up in a folder, if any. */
  static find(folder: string): Lab | undefined {
    const file = join(folder, 'lab.json')
    if (!existsSync(file)) return undefined
    const written = JSON.parse(readFileSync(file, 'utf8')) as Written
    return new Lab(folder, written)
  }

  /**
   * Builds namespaces, cables and BIRDs, and waits until routes have come everywhere.
   * @param outlives its processes stay when the one that builds it ends, whichever way; a test's must not
   * @param isPlain without Nearcast, which would bind the service addresses itself
   * @throws Error with a line that says what is missing
   */
  static async build(folder: string, { outlives = false, isPlain = false } = {}): Promise<Lab> {
    const way = findWay()
    if (typeof way !== 'string') throw new Error(way.reason)
    if (folder.length > LONGEST_FOLDER) throw new Error(`${folder} is too long a name for control sockets below it: --state DIR takes a shorter one`)
    mkdirSync(folder, { recursive: true })
    const lab = new Lab(folder, { way, ...(await makeSpaces(way, NODES, join(folder, 'spaces.log'))), processes: {} })
    lab.#outlives = outlives
    try {
      lab.#save()
      await lab.#wire(isPlain)
      for (const router of ROUTERS) lab.#startBird(router.name, routerConf(router, join(folder, `${router.name}.log`)))
      for (const pop of POPS) {
        mkdirSync(join(folder, pop.name), { recursive: true })
        writeFileSync(join(folder, pop.name, INCLUDE), ALL_UP)
        lab.#startBird(pop.name, popConf(pop, join(folder, `${pop.name}.log`)))
      }
      writeFileSync(join(folder, 'in'), lab.#enterScript(), { mode: 0o755 })
      if (!(await until(() => lab.hasRoutes()))) throw new Error(`the routes have not come within a minute: see ${folder}/*.log`)
    } catch (error) {
      await lab.down()
      throw error
    }
    return lab
  }

  get isUp(): boolean {
    return Object.values(this.#written.spaces).some(isAlive)
  }

  get processes(): Readonly<Record<string, Held>> {
    return this.#written.processes
  }

  /** The command that runs another inside a node. */
  in(node: string, ...command: string[]): string[] {
    return [...enter(this.#written.way, this.#written.spaces[node]!), ...command]
  }

  run(node: string, ...command: string[]): Promise<Ran> {
    return runCommand(this.in(node, ...command))
  }

  /** Runs lines of shell inside a node. @throws Error where one fails */
  async sh(node: string, ...lines: string[]): Promise<string> {
    const { status, out, err } = await this.run(node, 'sh', '-ec', lines.join('\n'))
    if (status !== 0) throw new Error(`${node}: ${err.trim() || out.trim()}`)
    return out
  }

  /** Starts a process inside a node that stays until the lab goes down. */
  start(name: string, node: string, command: readonly string[], cwd?: string): Held {
    const bound = this.#outlives ? [] : ['setpriv', '--pdeathsig', 'KILL', '--']
    const held = launch(this.in(node, ...bound, ...command), { log: join(this.folder, `${name.replace(' ', '-')}.log`), ...(cwd !== undefined && { cwd }) })
    this.#written.processes[name] = held
    this.#save()
    return held
  }

  signal(name: string, which: NodeJS.Signals): void {
    signal(this.#written.processes[name]!, which)
  }

  /** What a BIRD answers. */
  async birdc(node: string, ...words: string[]): Promise<string> {
    return (await this.run(node, 'birdc', '-s', this.socket(node), ...words)).out
  }

  socket(node: string): string {
    return join(this.folder, `${node}.ctl`)
  }

  startBird(node: string): void {
    this.start(`${node} bird`, node, ['bird', '-f', '-c', join(this.folder, node, 'bird.conf'), '-s', this.socket(node)])
  }

  /** The PoPs from which a router has heard of a prefix, the one it uses first. */
  async heardFrom(router: string, prefix: string): Promise<string[]> {
    const out = await this.birdc(router, 'show', 'route', 'for', prefix)
    const routes = [...out.matchAll(/^.*?unicast \[(\w+?)_[46] [^\]]*\] (\*)?.*\[AS(\d+)/gm)].map(([, , best, as]) => ({ pop: POPS.find((pop) => String(pop.as) === as)?.name ?? '', isBest: best === '*' }))
    return [...new Set(routes.sort((a, b) => Number(b.isBest) - Number(a.isBest)).map(({ pop }) => pop))]
  }

  /** Whether everybody's routes have come everywhere. */
  async hasRoutes(): Promise<boolean> {
    for (const { name } of ROUTERS) for (const prefix of PREFIXES) if ((await this.heardFrom(name, prefix)).length < POPS.length) return false
    for (const pop of POPS) for (const other of POPS) if (pop !== other && !(await this.birdc(pop.name, 'show', 'route', `${other.ipv4}/32`)).includes('unicast')) return false
    return true
  }

  /** Ends every process and with them the namespaces and cables; the folder goes too. */
  async down(): Promise<void> {
    const { processes, spaces, above } = this.#written
    await end(Object.values(processes))
    // What these have started and left behind: all that still is in one of our namespaces.
    await end(inhabitants(Object.values(spaces)))
    await end([...Object.values(spaces), ...(above === undefined ? [] : [above])])
    // What has just ended may have left something a moment ago.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 })
  }

  async #wire(isPlain: boolean): Promise<void> {
    await Promise.all(NODES.map((node) => this.sh(node, 'ip link set lo up', 'for key in ipv4.ip_forward ipv6.conf.all.forwarding ipv6.conf.default.forwarding; do echo 1 > /proc/sys/net/$(echo $key | tr . /); done', 'for key in all default; do echo 0 > /proc/sys/net/ipv4/conf/$key/rp_filter; echo 0 > /proc/sys/net/ipv6/conf/$key/accept_dad; done')))
    for (const { ends: [one, other] } of LINKS) await this.sh(one.node, `ip link add ${other.node} type veth peer name ${one.node} netns ${this.#written.spaces[other.node]!.pid}`)
    await Promise.all(NODES.map((node) => this.sh(node, ...neighboursOf(node).flatMap(({ own, peer }) => {
      const length = own.ipv4.startsWith('198.18.') ? 24 : 30
      return [`ip addr add ${own.ipv4}/${length} dev ${peer.node}`, `ip addr add ${own.ipv6}/64 dev ${peer.node} nodad`, `ip link set ${peer.node} up`]
    }), ...(ROUTERS.some(({ name }) => name === node) || POPS.some(({ name }) => name === node) ? [] : neighboursOf(node).flatMap(({ peer }) => [`ip route add default via ${peer.ipv4}`, `ip -6 route add default via ${peer.ipv6}`])))))
    await Promise.all(POPS.map((pop) => this.sh(pop.name, ...addressesOf(pop, isPlain).map((address) => `ip addr add ${address} dev lo${address.includes(':') ? ' nodad' : ''}`))))
  }

  #startBird(node: string, conf: string): void {
    mkdirSync(join(this.folder, node), { recursive: true })
    writeFileSync(join(this.folder, node, 'bird.conf'), conf)
    this.startBird(node)
  }

  /** `in NODE COMMAND…` for whoever plays. */
  #enterScript(): string {
    const { way, spaces } = this.#written
    const cases = Object.entries(spaces).map(([name, held]) => `  ${name}) set -- ${enter(way, held).join(' ')} "$@" ;;`)
    return `#!/bin/sh
# in NODE COMMAND…: runs a command inside a node of the lab; birdc talks to the node's own BIRD.
PATH=$PATH:/usr/sbin:/sbin
node=$1
[ $# -gt 1 ] || { echo 'in NODE COMMAND…, where NODE is one of ${Object.keys(spaces).join(' ')}' >&2; exit 2; }
shift
if [ "$1" = birdc ]; then shift; set -- birdc -s '${this.folder}'/$node.ctl "$@"; fi
case $node in
${cases.join('\n')}
  *) echo "there is no node $node; there are ${Object.keys(spaces).join(' ')}" >&2; exit 2 ;;
esac
exec "$@"
`
  }

  #save(): void {
    writeFileSync(join(this.folder, 'lab.json'), `${JSON.stringify(this.#written, null, 2)}\n`)
  }
}

/** What a PoP has on its loopback from the start. */
function addressesOf({ ipv4, ipv6 }: Pop, withService: boolean): string[] {
  return [`${ipv4}/32`, `${ipv6}/128`, ...(withService ? Object.values(SERVICE) : []).flatMap((service) => [`${service.ipv4}/32`, `${service.ipv6}/128`])]
}
