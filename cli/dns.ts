import { prepareLoader } from '../daemon/prepare-loader.ts'
import type { Command } from './command.ts'
import { zonesFolder } from './folders.ts'

export const dns: Command = {
  name: 'dns',
  summary: 'serve the zones of a folder, and nothing else: a plain authoritative server',
  details: [
    'Answers for every ORIGIN.zone of the folder until INT or TERM, and follows what is edited there.',
    'There is no fleet, no health check and no admin API; a policies.yaml beside the zones may name addresses.',
    'Of the nearcast.yaml given by --config, dns, geo, keys, peers and zones count, and what is given here goes',
    'before it; without --config none is read.'
  ],
  arguments: [],
  options: {
    zones: { kind: 'folder', value: 'DIR', summary: 'folder of the zones (default: zones/)' },
    port: { kind: 'port', value: 'N', summary: 'port for UDP and TCP (default: 53)' },
    listen: { kind: 'text', value: 'ADDRESSES', summary: 'addresses, with commas between them (default: 127.0.0.1,::1)' },
    threads: { kind: 'number', value: 'N', summary: 'UDP threads (default: one per core, four at most)' },
    config: { kind: 'file', value: 'FILE', summary: 'a nearcast.yaml: listeners, keys, peers, and who may transfer, notify and update which zone' },
    'tsig-keys': { kind: 'file', value: 'FILE', summary: 'TSIG keys in the syntax of BIND: whoever signs with one of them may transfer every zone' },
    state: { kind: 'folder', value: 'DIR', summary: 'where the last good zones are kept for the next start (default: nowhere)' },
    lab: { kind: 'flag', summary: 'for experiments: transfers from loopback without a key, and no response rate limiting' }
  },
  examples: ['nearcast dns --zones /etc/nsd/zones --port 5301', 'nearcast dns --zones /srv/zones --listen 192.0.2.53,2001:db8::53 --state /var/lib/nearcast', 'nearcast dns --zones /srv/zones --tsig-keys transfer.keys'],
  run: async (call) => {
    // It loads its modules while this thread loads its own.
    const loader = prepareLoader(zonesFolder(call))
    const { serveZones } = await import('./dns-serve.ts')
    try {
      return await serveZones(call, loader)
    } finally {
      loader.end()
    }
  }
}
