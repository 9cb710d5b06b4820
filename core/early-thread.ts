import { MessageChannel, parentPort, receiveMessageOnPort, Worker, workerData, type MessagePort, type TransferListItem } from 'node:worker_threads'

/** What a thread is told that begins before there is anything for it to do. */
interface Early {
  /** Modules that it will need beside its own, by their addresses. */
  readonly loads: readonly string[]
  /** What it can do something about until it begins. */
  readonly ahead?: unknown
  /** BEGIN or END. */
  readonly flag: Int32Array
  /** Told once they are loaded. */
  readonly loading: MessagePort
}

/** Its data lies at its port; it is not needed. */
const BEGIN = 1
const END = 2

/**
 * A thread that has loaded, or is loading, its modules while what it is to work with is still being made: so that its start is
 * behind it by then. Its module takes its data by `threadData`.
 */
export class EarlyThread {
  /** Resolves when it has loaded what it needs, or is gone. */
  readonly loaded: Promise<void>
  readonly #flag = new Int32Array(new SharedArrayBuffer(4))
  #worker: Worker | undefined

  /** @param ahead what the thread is told at once, see `threadData` */
  constructor(module: URL, name: string, loads: readonly URL[] = [], ahead?: unknown) {
    const { port1, port2 } = new MessageChannel()
    const early: Early = { loads: loads.map(({ href }) => href), ...(ahead !== undefined && { ahead }), flag: this.#flag, loading: port2 }
    this.#worker = new Worker(module, { workerData: { early }, name, transferList: [port2] })
    this.loaded = new Promise((resolve) => port1.once('message', resolve).once('close', resolve))
    port1.unref()
    // Whoever starts one in its place is told why that fails.
    this.#worker.once('error', () => undefined)
    this.#worker.once('exit', () => (this.#worker = undefined))
    // One that is never begun keeps no process from its end.
    this.#worker.unref()
  }

  /** Lets it begin, once; undefined where it is gone. */
  begin(data: unknown, transferList: readonly TransferListItem[] = []): Worker | undefined {
    const worker = this.#worker
    if (worker === undefined) return undefined
    this.#worker = undefined
    worker.removeAllListeners()
    worker.ref()
    worker.postMessage(data, transferList)
    this.#tell(BEGIN)
    return worker
  }

  /** One that was not begun ends, once it has loaded: to be ended while it loads native code would end the process. */
  end(): void {
    this.#worker = undefined
    this.#tell(END)
  }

  #tell(what: number): void {
    Atomics.store(this.#flag, 0, what)
    Atomics.notify(this.#flag, 0)
  }
}

/** What threads are to be begun. */
export interface EarlyPlan {
  readonly module: URL
  readonly name: string
  readonly loads?: readonly URL[]
}

/** Several that are begun one after the other, so that whoever has work to do already has a processor for it. */
export class EarlyThreads {
  readonly #begun: { readonly module: URL; readonly thread: EarlyThread }[] = []
  #isOver = false

  constructor(plans: readonly EarlyPlan[]) {
    void this.#begin(plans)
  }

  /** One of a module; undefined where none is begun. */
  take(module: URL): EarlyThread | undefined {
    const index = this.#begun.findIndex((each) => each.module.href === module.href)
    return index < 0 ? undefined : this.#begun.splice(index, 1)[0]!.thread
  }

  /** Begins no more. */
  stop(): void {
    this.#isOver = true
  }

  /** Begins no more, and ends those that were not taken. */
  end(): void {
    this.stop()
    for (const { thread } of this.#begun.splice(0)) thread.end()
  }

  async #begin(plans: readonly EarlyPlan[]): Promise<void> {
    for (const { module, name, loads } of plans) {
      if (this.#isOver) return
      const thread = new EarlyThread(module, name, loads)
      this.#begun.push({ module, thread })
      await thread.loaded
    }
  }
}

/** Starts a thread: one that waits for its data, where there is one, else a new one. */
export function startThread(module: URL, name: string, data: unknown, transferList: readonly TransferListItem[], early: EarlyThread | undefined): Worker {
  return early?.begin(data, transferList) ?? new Worker(module, { workerData: data, name, transferList: [...transferList] })
}

/**
 * In a thread: what it is to work with. Waits for that where it began early.
 * @param meanwhile what it does before, where it was told anything to do that with; it has no other effect
 */
export async function threadData<T, Ahead = never>(meanwhile?: (ahead: Ahead) => void): Promise<T> {
  if (!isEarly(workerData)) return workerData as T
  const { loads, ahead, flag, loading } = workerData.early
  await Promise.all(loads.map((module) => import(module)))
  loading.postMessage('loaded')
  if (ahead !== undefined) meanwhile?.(ahead as Ahead)
  // It does nothing else until then, and nothing that is said meanwhile is lost: it stays at the port.
  Atomics.wait(flag, 0, 0)
  if (Atomics.load(flag, 0) === END) process.exit()
  return (receiveMessageOnPort(parentPort!) as { readonly message: T }).message
}

const isEarly = (data: unknown): data is { readonly early: Early } => typeof data === 'object' && data !== null && 'early' in data
