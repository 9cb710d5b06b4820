import type { TlsOptions } from 'node:tls'

/**
 * TLS 1.2 and 1.3, forward secrecy and authenticated encryption alone (RFC 9325 §4.2), which is all that HTTP/2 allows
 * (RFC 9113 §9.2.2). AES with 128 bits comes first: it costs least where processors help with it.
 */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_256_GCM_SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'
]

/** What every handshake has in common, whatever certificate is shown. */
export const tlsOptions: TlsOptions = {
  minVersion: 'TLSv1.2',
  ciphers: CIPHERS.join(':'),
  honorCipherOrder: true,
  ecdhCurve: 'X25519:P-256:P-384',
  // The same in every process of the fleet, so that each resumes what another began.
  sessionIdContext: 'nearcast'
}
