// Where a client is. MaxMind databases and the operator's settings become flat tables in shared memory, read by every
// thread in a few loads: address -> place number and the length of the prefix for which that holds.
//
//   findDatabase  which file to use            buildPlaces  file -> tables (or the tables kept from the last start)
//   readOverrides what the operator knows better: mergeOverrides lays it over the tables
//   noPlaces      tables of nothing            openPlaces   tables -> look-ups
//   describePlace a place in a few words
//   buildNetworks lists of prefixes, autonomous systems, measurements -> tables of what a network is beside its place
//
// Knows no socket, no zone and no policy. Nothing here waits but buildPlaces.
export { findAsDatabase, openAsDatabase, readAsDatabase } from './as-database.ts'
export { buildPlaces } from './build.ts'
export { CONTINENTS, COUNTRIES, countryName } from './countries.ts'
export { findDatabase, twinOf } from './database.ts'
export { describePlace } from './describe.ts'
export { measurementOf, MS_UNIT, PREFIX, type LatencyImage, type MeasuredRows, type Measurement } from './latencies.ts'
export { mergeOverrides } from './merge.ts'
export { NO_OVERRIDES, readOverrides, type Override, type Overrides } from './overrides.ts'
export { buildNetworks, type AsPrefixes, type NamedPrefixes, type NetworkSources } from './networks-build.ts'
export { NO_NETWORK, UNKNOWN_NETWORK, type Network, type Networks, type NetworksImage } from './networks.ts'
export { networksInUse, openNetworks } from './networks-table.ts'
export { NOWHERE, type Place, type Places, type PlacesImage } from './places.ts'
export { readAsFile, readPrefixFile } from './prefix-file.ts'
export { joinPrefixes, prefixListOf, type PrefixList } from './prefixes.ts'
export { noPlaces, openPlaces } from './tables.ts'
export { weighAddresses, type Weighed } from './weigh.ts'
