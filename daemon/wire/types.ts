// The RR types: one row each, and nothing else to touch when one is added.

/**
 * A row: the type's number, its RDATA as `field:kind` words in order, and what a right one looks like.
 * The kinds are those of daemon/zone/fields.ts. A `name` may be compressed in packets, an `exactname` never (RFC 3597 §4).
 */
type Row = readonly [number: number, fields: string, example: string]

const ROWS = {
  A: [1, 'address:ipv4', '192.0.2.1'],
  NS: [2, 'host:name', 'ns1'],
  CNAME: [5, 'target:name', 'www'],
  SOA: [6, 'primary:name mailbox:name serial:u32 refresh:ttl retry:ttl expire:ttl minimum:ttl', 'ns1 hostmaster 1 3600 600 604800 60'],
  MB: [7, 'host:name', 'mail'],
  MG: [8, 'mailbox:name', 'admin'],
  MR: [9, 'mailbox:name', 'admin'],
  WKS: [11, 'services:wks', '192.0.2.1 TCP 25 53'],
  PTR: [12, 'target:name', 'host.example.com.'],
  HINFO: [13, 'cpu:string os:string', '"PC" "Linux"'],
  MINFO: [14, 'responsible:name errors:name', 'admin errors'],
  MX: [15, 'preference:u16 exchange:name', '10 mail'],
  TXT: [16, 'text:strings', '"some text"'],
  RP: [17, 'mailbox:exactname text:exactname', 'admin .'],
  AFSDB: [18, 'subtype:u16 host:exactname', '1 db'],
  X25: [19, 'address:string', '311061700956'],
  ISDN: [20, 'address:string subaddress:maybestring', '"150862028003217" "004"'],
  RT: [21, 'preference:u16 host:exactname', '10 relay'],
  NSAP: [22, 'address:nsap', '0x47000580005a0000000001e133ffffff00016200'],
  'NSAP-PTR': [23, 'target:exactname', 'host'],
  SIG: [24, 'covered:type algorithm:algorithm labels:u8 ttl:ttl expiration:time inception:time tag:u16 signer:exactname signature:base64', 'A 8 3 300 20270101000000 20261201000000 2642 example.com. oJB1W6WN…'],
  KEY: [25, 'flags:u16 protocol:u8 algorithm:algorithm key:base64', '256 3 8 AwEAAQ=='],
  PX: [26, 'preference:u16 map822:exactname mapx400:exactname', '10 net2.it. PRMD-net2.ADMD-p400.C-it.'],
  GPOS: [27, 'longitude:string latitude:string altitude:string', '126.44 37.46 7'],
  AAAA: [28, 'address:ipv6', '2001:db8::1'],
  LOC: [29, 'place:loc', '37 27 36.0 N 126 26 24.0 E 7m'],
  EID: [31, 'endpoint:hex', 'E32C6F78'],
  NIMLOC: [32, 'locator:hex', '32251A03'],
  SRV: [33, 'priority:u16 weight:u16 port:u16 target:exactname', '10 5 443 www'],
  NAPTR: [35, 'order:u16 preference:u16 flags:string services:string regexp:string replacement:exactname', '100 10 "S" "SIP+D2U" "" _sip._udp'],
  KX: [36, 'preference:u16 exchanger:exactname', '10 kx'],
  CERT: [37, 'type:certtype tag:u16 algorithm:algorithm certificate:base64', 'PKIX 0 0 AwEAAQ=='],
  DNAME: [39, 'target:exactname', 'other.example.com.'],
  APL: [42, 'prefixes:prefixes', '1:192.0.2.0/24 !2:2001:db8::/32'],
  DS: [43, 'tag:u16 algorithm:algorithm digesttype:u8 digest:digest', '60485 8 2 D4B7D520…'],
  SSHFP: [44, 'algorithm:u8 type:u8 fingerprint:hex', '4 2 123456789ABC…'],
  IPSECKEY: [45, 'gateway:ipseckey', '10 1 2 192.0.2.38 AQNRU3mG…'],
  RRSIG: [46, 'covered:type algorithm:algorithm labels:u8 ttl:ttl expiration:time inception:time tag:u16 signer:exactname signature:base64', 'A 8 3 300 20270101000000 20261201000000 2642 example.com. oJB1W6WN…'],
  NSEC: [47, 'next:exactname types:types', 'host.example.com. A MX RRSIG NSEC'],
  DNSKEY: [48, 'flags:u16 protocol:u8 algorithm:algorithm key:base64', '257 3 8 AwEAAQ=='],
  DHCID: [49, 'digest:base64', 'AAIBY2/AuCcc…'],
  NSEC3: [50, 'hash:u8 flags:u8 iterations:u16 salt:salt next:base32 types:types', '1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A'],
  NSEC3PARAM: [51, 'hash:u8 flags:u8 iterations:u16 salt:salt', '1 0 0 -'],
  TLSA: [52, 'usage:u8 selector:u8 matching:u8 data:hex', '3 1 1 0B9FA5A5…'],
  SMIMEA: [53, 'usage:u8 selector:u8 matching:u8 data:hex', '3 1 1 0B9FA5A5…'],
  HIP: [55, 'identity:hip', '2 200100107B1A74DF365639CC39F1D578 AwEAAbdx rvs1'],
  NINFO: [56, 'text:strings', '"some text"'],
  TALINK: [58, 'previous:exactname next:exactname', 'a b'],
  CDS: [59, 'tag:u16 algorithm:algorithm digesttype:u8 digest:digest', '60485 8 2 D4B7D520…'],
  CDNSKEY: [60, 'flags:u16 protocol:u8 algorithm:algorithm key:base64', '257 3 8 AwEAAQ=='],
  OPENPGPKEY: [61, 'key:base64', 'mQENBFVH…'],
  CSYNC: [62, 'serial:u32 flags:u16 types:types', '66 3 A NS AAAA'],
  ZONEMD: [63, 'serial:u32 scheme:u8 algorithm:u8 digest:hex', '2026112101 1 1 FEBE3D4C…'],
  SVCB: [64, 'priority:u16 target:exactname parameters:svcparams', '1 . alpn=h2 port=8443'],
  HTTPS: [65, 'priority:u16 target:exactname parameters:svcparams', '1 . alpn=h2,h3'],
  DSYNC: [66, 'covered:type scheme:dsyncscheme port:u16 target:exactname', 'CDS NOTIFY 5359 notify'],
  SPF: [99, 'text:strings', '"v=spf1 -all"'],
  NID: [104, 'preference:u16 node:locator', '10 0014:4fff:ff20:ee64'],
  L32: [105, 'preference:u16 locator:ipv4', '10 10.1.2.0'],
  L64: [106, 'preference:u16 locator:locator', '10 2001:db8:1140:1000'],
  LP: [107, 'preference:u16 target:exactname', '10 l64-subnet1'],
  EUI48: [108, 'address:eui48', '00-00-5e-00-53-2a'],
  EUI64: [109, 'address:eui64', '00-00-5e-ef-10-00-00-2a'],
  URI: [256, 'priority:u16 weight:u16 target:text', '10 1 "https://www.example.com/"'],
  CAA: [257, 'flags:u8 tag:tag value:text', '0 issue "ca.example.net"'],
  AVC: [258, 'text:strings', '"app-name:WOLFGANG"'],
  AMTRELAY: [260, 'relay:amtrelay', '10 0 1 192.0.2.15'],
  RESINFO: [261, 'text:strings', 'qnamemin exterr=15-17'],
  WALLET: [262, 'text:strings', '"BTC" "…"'],
  TA: [32_768, 'tag:u16 algorithm:algorithm digesttype:u8 digest:digest', '60485 8 2 D4B7D520…'],
  DLV: [32_769, 'tag:u16 algorithm:algorithm digesttype:u8 digest:digest', '60485 8 2 D4B7D520…']
} as const satisfies Record<string, Row>

/** Types that never stand in a zone: they are asked for, or carry a message's own data. */
const META = { OPT: 41, NXNAME: 128, TKEY: 249, TSIG: 250, IXFR: 251, AXFR: 252, MAILB: 253, MAILA: 254, ANY: 255 } as const

type Mnemonic = keyof typeof ROWS

/** The number of each type that has a row, and of each meta type: `TYPE.MX` is 15. */
export const TYPE = {
  ...(Object.fromEntries(Object.entries(ROWS).map(([mnemonic, row]) => [mnemonic, row[0]])) as { readonly [K in Mnemonic]: (typeof ROWS)[K][0] }),
  ...META
} as const

/** Classes; a zone is always of class IN. */
export const CLASS = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const

/** The RDATA of a type, as a table row has it. */
export interface TypeRow {
  readonly mnemonic: string
  readonly number: number
  /** `field:kind` words in order. */
  readonly fields: string
  /** RDATA as text, to show what a right one looks like. */
  readonly example: string
}

/** The rows of the types that may stand in a zone. */
export const TYPE_ROWS: readonly TypeRow[] = Object.entries<Row>(ROWS).map(([mnemonic, [number, fields, example]]) => ({ mnemonic, number, fields, example }))

const NUMBERS = new Map<string, number>(Object.entries(TYPE))
const MNEMONICS = new Map<number, string>([...NUMBERS].map(([mnemonic, number]) => [number, mnemonic]))
const CLASS_NUMBERS = new Map<string, number>(Object.entries(CLASS))

/** Every mnemonic, for suggestions. */
export const MNEMONIC_LIST: readonly string[] = [...NUMBERS.keys()]

/** The number of a type given as `MX`, `mx` or `TYPE15` (RFC 3597 §5); undefined when it is none. */
export function typeFromText(text: string): number | undefined {
  const upper = text.toUpperCase()
  return NUMBERS.get(upper) ?? generic(upper, 'TYPE')
}

/** `MX` for 15; `TYPE65534` for a type without a mnemonic (RFC 3597 §5). */
export function typeToText(number: number): string {
  return MNEMONICS.get(number) ?? `TYPE${number}`
}

/** The number of a class given as `IN`, `in` or `CLASS1`; undefined when it is none. */
export function classFromText(text: string): number | undefined {
  const upper = text.toUpperCase()
  return CLASS_NUMBERS.get(upper) ?? generic(upper, 'CLASS')
}

/** Whether a type is one that is only asked for or carries a message's own data: 0, OPT, and 128 to 255 (RFC 6895 §3.1). */
export function isMetaType(number: number): boolean {
  return number === 0 || number === TYPE.OPT || (number >= 128 && number <= 255)
}

function generic(upper: string, prefix: string): number | undefined {
  if (!upper.startsWith(prefix) || !/^\d{1,5}$/.test(upper.slice(prefix.length))) return undefined
  const number = Number(upper.slice(prefix.length))
  return number <= 0xffff ? number : undefined
}
