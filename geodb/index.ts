// Where a client is. MaxMind databases and the operator's settings become flat tables in shared memory, read by every
// thread in a few loads. Knows no socket, no zone and no policy.
export { NOWHERE, type Place, type Places, type PlacesImage } from './places.ts'
