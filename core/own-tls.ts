import { join } from 'node:path'

/** Where the fleet keeps what it made itself for TLS, relative to the state folder. */
export const OWN_TLS = { authority: 'tls/ca.pem', authorityKey: 'tls/ca.key', certificate: 'tls/edge.pem', key: 'tls/edge.key', tickets: 'tls/tickets.key' } as const

/** Those that the supervisor and the edges share, in full. */
export const ownTls = (stateFolder: string): Record<keyof typeof OWN_TLS, string> => ({
  authority: join(stateFolder, OWN_TLS.authority),
  authorityKey: join(stateFolder, OWN_TLS.authorityKey),
  certificate: join(stateFolder, OWN_TLS.certificate),
  key: join(stateFolder, OWN_TLS.key),
  tickets: join(stateFolder, OWN_TLS.tickets)
})
