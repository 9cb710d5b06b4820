/** What the table knows of a connection. */
export interface Seat {
  /** Who holds it: an address, and the network that the address is of. */
  readonly address: string
  readonly network: string
  /** When it last asked or took something, in milliseconds, give or take GRACE_MS; at first when it was accepted. */
  lastActive: number
  hasAsked: boolean
  /** What it had sent by the time it was accepted has been read: if it has not asked, it is silent. */
  isHeard: boolean
  /** Held to no limit of its own, nor to its share. */
  readonly isExempt: boolean
  /** Something is on its way to it: it is not idle, however long it has asked nothing. */
  isBusy: boolean
}

/** Most connections, of all and of one client. */
export interface Seats {
  readonly clients: number
  readonly clientsPerAddress: number
  readonly clientsPerNetwork: number
}

/** Who holds connections, in an order that tells who is to give one up. */
export interface TcpTable<Client extends Seat> {
  /** Longest idle first. */
  readonly all: ReadonlySet<Client>
  add(client: Client): void
  /** It has asked, or taken, something. */
  touch(client: Client, now: number): void
  /** @returns whether it was there */
  remove(client: Client): boolean
  /** The connection that gives way to one more; undefined when there is room. */
  crowdedBy(comer: Pick<Seat, 'address' | 'network' | 'isExempt'>, now: number): Client | undefined
}

interface Network<Client> {
  readonly clients: Set<Client>
}

/** What has never asked anything goes before all else, and what an answer is on its way to after it. */
const SILENT = 1e6
const BUSY = 1e-6
/** Whoever has just come has not had the time to ask. */
const GRACE_MS = 10

/**
 * Past a limit of its own a client gives up what it has used least. Past the limit of all, whoever has held most for longest
 * does: idle time × connections of its network, but first what has never asked anything. So a flood from few networks takes
 * turns with itself, and one from many is a queue that whoever asks passes through.
 */
export function makeTcpTable<Client extends Seat>(seats: Seats): TcpTable<Client> {
  const all = new Set<Client>()
  // In the order they came: the first has been silent for longest.
  const silent = new Set<Client>()
  const addresses = new Map<string, Set<Client>>()
  const networks = new Map<string, Network<Client>>()
  const ranks = makeRanks<Network<Client>>()

  const networkOf = ({ network }: Client): Network<Client> => networks.get(network)!
  const score = (client: Client, now: number): number => {
    const idle = now - client.lastActive
    const share = client.isExempt ? 1 : networkOf(client).clients.size
    return (idle + 1) * share * (!client.hasAsked && client.isHeard && idle >= GRACE_MS ? SILENT : client.isBusy ? BUSY : 1)
  }
  const worst = (clients: Iterable<Client>, now: number): Client | undefined => {
    let most: Client | undefined
    for (const client of clients) if (most === undefined || score(client, now) > score(most, now)) most = client
    return most
  }
  const heard = (client: Client): void => {
    client.hasAsked = true
    silent.delete(client)
  }
  return {
    all,
    add: (client) => {
      all.add(client)
      silent.add(client)
      addresses.set(client.address, (addresses.get(client.address) ?? new Set()).add(client))
      const network = networks.get(client.network) ?? { clients: new Set() }
      networks.set(client.network, network)
      network.clients.add(client)
      ranks.move(network, network.clients.size - 1, network.clients.size)
    },
    touch: (client, now) => {
      // To put it last each time would be a tenth of what a query over TCP costs here.
      if (client.hasAsked && now - client.lastActive < GRACE_MS) return
      client.lastActive = now
      if (!all.delete(client)) return
      all.add(client)
      if (!client.hasAsked) heard(client)
    },
    remove: (client) => {
      if (!all.delete(client)) return false
      silent.delete(client)
      const same = addresses.get(client.address)!
      if (same.size === 1) addresses.delete(client.address)
      else same.delete(client)
      const network = networkOf(client)
      network.clients.delete(client)
      ranks.move(network, network.clients.size + 1, network.clients.size)
      if (network.clients.size === 0) networks.delete(client.network)
      return true
    },
    crowdedBy: ({ address, network, isExempt }, now) => {
      if (!isExempt) {
        const same = addresses.get(address)
        if (same !== undefined && same.size >= seats.clientsPerAddress) return worst(same, now)
        const near = networks.get(network)?.clients
        if (near !== undefined && near.size >= seats.clientsPerNetwork) return worst(near, now)
      }
      if (all.size < seats.clients) return undefined
      const [longestSilent] = silent
      const [longestIdle] = all
      const most = worst(ranks.top()?.clients ?? [], now)
      return worst([longestSilent, longestIdle, most].filter((client) => client !== undefined), now)
    }
  }
}

/** Things by a number that rises and falls by one, so that one of the highest is at hand. */
function makeRanks<Item>(): { move(item: Item, from: number, to: number): void; top(): Item | undefined } {
  const ranks: Set<Item>[] = []
  return {
    move: (item, from, to) => {
      ranks[from]?.delete(item)
      if (to > 0) (ranks[to] ??= new Set()).add(item)
      while (ranks.length > 1 && (ranks.at(-1)?.size ?? 0) === 0) ranks.pop()
    },
    top: () => {
      const [first] = ranks.at(-1) ?? []
      return first
    }
  }
}
