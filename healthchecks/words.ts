// What the system and its libraries say of a connection that did not come about, in plain words.

const CHAIN = 'its certificate is of no authority that is known here'

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  ETIMEDOUT: 'no answer to the connection',
  EHOSTUNREACH: 'host unreachable',
  EHOSTDOWN: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  EADDRNOTAVAIL: 'no address of this machine reaches it',
  EINVAL: 'no address of this machine reaches it',
  EACCES: 'this machine does not allow it',
  EPERM: 'this machine does not allow it',
  EMFILE: 'this process has too many files open',
  ENFILE: 'this machine has too many files open',
  CERT_HAS_EXPIRED: 'its certificate has ended',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  CERT_REVOKED: 'its certificate was revoked',
  CERT_SIGNATURE_FAILURE: 'the signature of its certificate is wrong',
  INVALID_PURPOSE: 'its certificate is not for servers',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: CHAIN,
  UNABLE_TO_GET_ISSUER_CERT: CHAIN,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: CHAIN,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `${CHAIN}, or it does not show the ones between`,
  ERR_HTTP2_ERROR: 'it does not speak HTTP/2',
  HPE_INVALID_CONSTANT: 'its answer is no HTTP',
  HPE_INVALID_VERSION: 'its answer is no HTTP',
  HPE_INVALID_HEADER_TOKEN: 'its answer has a header that is none',
  HPE_HEADER_OVERFLOW: 'the head of its answer is too long'
}

/** What OpenSSL says of a handshake that failed. */
const HANDSHAKE: Readonly<Record<string, string>> = {
  'wrong version number': 'it does not speak TLS',
  'packet length too long': 'it does not speak TLS',
  'http request': 'it does not speak TLS',
  'unsupported protocol': 'it speaks no version of TLS that is taken here',
  'tlsv1 alert protocol version': 'it takes no version of TLS that is spoken here',
  'sslv3 alert handshake failure': 'it refused the handshake',
  'ssl/tls alert handshake failure': 'it refused the handshake',
  'tlsv1 alert internal error': 'it broke off the handshake',
  'tlsv1 unrecognized name': 'it does not know this server name',
  'tlsv13 alert certificate required': 'it wants a certificate of ours',
  'no ciphers available': 'no cipher is common to both',
  'dh key too small': 'its key is too small',
  'ee key too small': 'its key is too small',
  'unexpected eof while reading': 'connection closed'
}

/** Why a connection failed; what has no words of ours is told as it came. */
export function wordsOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `its certificate is for ${namesOf(error)}`
  const words = WORDS[error.code ?? '']
  if (words !== undefined) return words
  const reason = /:error:[0-9A-F]+:SSL routines:[^:]*:([^:]+)/.exec(error.message)?.[1]
  return reason === undefined ? error.message : (HANDSHAKE[reason] ?? `the handshake failed: ${reason}`)
}

/** The names of the certificate that was shown, where it does not have the one that is wanted. */
function namesOf(error: Error & { readonly cert?: { readonly subjectaltname?: string }; readonly host?: string }): string {
  const names = (error.cert?.subjectaltname ?? '').split(', ').map((name) => name.replace(/^(DNS|IP Address):/, '')).filter((name) => name !== '')
  const shown = names.length === 0 ? 'no name' : names.length > 3 ? `${names.slice(0, 3).join(', ')} and others` : names.join(', ')
  return error.host === undefined ? `${shown} alone` : `${shown}, and not for ${error.host}`
}
