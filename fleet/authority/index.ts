// The fleet's own certification authority: a certificate for its distributions where the operator brings none.
//
// `keepCertificates` sees to it that the files of core/own-tls.ts are there and good for a while: an authority (a root, to be
// trusted by whoever wants to), one certificate from it for all names, and the key that seals session tickets. What is good
// is left alone, so that it may be called again and again.
//
// It must never know of sockets, or of who serves with the files.
export { issueCertificate, makeAuthority, type Issued } from './certificate.ts'
export { keepCertificates } from './keep.ts'
