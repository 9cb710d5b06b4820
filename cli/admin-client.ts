import { accessSync, constants, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { isAlive, readFleetFile, type FleetFile } from '../fleet/index.ts'
import type { ErrorReply, Status } from '../daemon/control/api.ts'
import { suggestion } from '../core/suggest.ts'
import { failed, mistyped, type Call } from './command.ts'
import { stateFolder, type NamedPath } from './folders.ts'

/** The admin API of a running fleet. */
export interface AdminClient {
  readonly fleet: FleetFile
  get<T>(path: string): Promise<T | Refused>
  post<T>(path: string, body: unknown): Promise<T | Refused>
}

/** Why a call was not done. A status from 400 to 499: it was asked wrongly. */
export class Refused {
  readonly reason: string
  readonly status: number
  constructor(reason: string, status: number) {
    this.reason = reason
    this.status = status
  }
}

const ANSWER_WITHIN_MS = 10_000
const LARGEST_ANSWER = 32 * 1024 * 1024

/** The fleet that runs on the state folder of this call; or why there is none, in one line. */
export function openAdmin(call: Call): AdminClient | string {
  const state = stateFolder(call)
  const fleet = readFleetFile(state.path)
  if (fleet === undefined || !isAlive(fleet.pid)) return notRunning(call, state)
  let token: string
  try {
    token = readFileSync(join(state.path, 'admin.token'), 'utf8').trim()
  } catch {
    return `the token of the running fleet in ${join(state.label, 'admin.token')} cannot be read: only the user who started it may steer it`
  }
  return connect(fleet, token)
}

function notRunning(call: Call, state: NamedPath): string {
  if (isClosed(state.path)) return `the state folder ${state.label} is closed to this user: only the one who started its fleet, or root, may ask it`
  const start = call.values['state'] === undefined ? 'npm start starts one' : `nearcast up --state ${state.label} starts one`
  return `no fleet runs on the state folder ${state.label} (${start})`
}

/** Whether a folder is there and may not be looked into. */
function isClosed(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES'
  }
}

/** A client for a fleet whose token is known. */
export function connect(fleet: FleetFile, token: string): AdminClient {
  const call = async <T>(method: 'GET' | 'POST', path: string, body?: string): Promise<T | Refused> => {
    const { address, port } = fleet.admin
    try {
      const { status, text } = await exchange({ host: address, port, method, path, token, body })
      const value = JSON.parse(text) as T | ErrorReply
      if (status < 300) return value as T
      return new Refused((value as ErrorReply).error ?? `the daemon answered ${status}`, status)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      return new Refused(code === 'ECONNREFUSED' ? 'the daemon does not answer: it is starting, or being restarted' : `the daemon does not answer: ${(error as Error).message}`, 0)
    }
  }
  return { fleet, get: (path) => call('GET', path), post: (path, body) => call('POST', path, JSON.stringify(body)) }
}

interface Exchange {
  readonly host: string
  readonly port: number
  readonly method: string
  readonly path: string
  readonly token: string
  readonly body: string | undefined
}

function exchange({ host, port, method, path, token, body }: Exchange): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }) }
    const outgoing = request({ host, port, method, path, headers, agent: false, timeout: ANSWER_WITHIN_MS }, (response) => {
      const pieces: Buffer[] = []
      let size = 0
      response.on('data', (piece: Buffer) => {
        size += piece.length
        if (size > LARGEST_ANSWER) outgoing.destroy(new Error('its answer is too large'))
        else pieces.push(piece)
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString('utf8') }))
      response.on('error', reject)
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${ANSWER_WITHIN_MS / 1000} s`)))
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** Shows why a call was not done; the exit status says whether it was asked wrongly. */
export function refused(call: Call, { reason, status }: Refused): number {
  return status >= 400 && status < 500 && status !== 401 && status !== 403 && status !== 409 ? mistyped(call.io, reason) : failed(call.io, reason)
}

/**
 * Opens the admin API for a command about one member, and checks that there is such a member.
 * @returns the exit status when there is no fleet or no such member; it has been explained then
 */
export async function openForMember(call: Call, name: string): Promise<AdminClient | number> {
  const admin = openAdmin(call)
  if (typeof admin === 'string') return failed(call.io, admin)
  const status = await admin.get<Status>('/v1/status')
  if (status instanceof Refused) return refused(call, status)
  const names = status.members.filter(({ role }) => role !== 'daemon').map((member) => member.name)
  if (names.includes(name)) return admin
  const hint = suggestion(name, names)
  return mistyped(call.io, `there is no member ${name} to steer${hint === undefined ? '' : ` (${hint})`}`)
}
