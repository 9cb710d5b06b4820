// The certificates that an edge shows (RFC 8446, RFC 6066 §3), kept up to date with their files.
//
// Certificates reads pairs of files and gives the one for a server name, from the last good state of each: what cannot be
// used leaves what is served as it is, and is told once with file and reason. `tlsOptions` is what all handshakes share.
//
// It must never know of requests, caches, or who listens where.
export { Certificates, type CertificateFiles } from './certificates.ts'
export { tlsOptions } from './options.ts'
