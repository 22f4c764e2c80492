import { newKey, type Asked, type Client } from './client.js'
import type { operations } from './generated/schema.js'
import type { Ask, KeyedOperation, Route } from './operation.js'
import { Refused, Unreachable } from './refused.js'
import type { Storage } from './storage.js'

/** A write that waits to be sent. */
export interface Queued {
  readonly route: Route
  readonly asked: Asked & { readonly key: string }
  /** When it was added, in milliseconds since 1970. */
  readonly at: number
}

export interface QueueOptions {
  readonly storage: Storage
  /** Id of the person who is logged in: what one person wrote is never sent as another. */
  readonly owner: string
  /** The write took place; it has left the queue. */
  readonly onDone?: (write: Queued, result: unknown) => void
  /** The service refused it for good; it has left the queue. */
  readonly onRefused?: (write: Queued, refusal: Refused) => void
  /** It is too old to be sent safely; it has left the queue. Whether it took place is unknown. */
  readonly onExpired?: (write: Queued) => void
  readonly now?: () => number
}

export interface Queue {
  /** Stores a write; returns its key. Throws RangeError if `MOST_WRITES` wait. */
  add<N extends keyof operations>(operation: KeyedOperation<N>, ask: Ask<N> & { readonly key?: string }): string
  /** Sends what waits, the oldest first, one at a time; returns how many still wait. */
  drain(): Promise<number>
  waiting(): readonly Queued[]
}

export const MOST_WRITES = 100
/** The service knows a key for seven days; after that a repeat would be a second write. */
export const LONGEST_WAIT_MS = 6 * 86_400_000

/** Writes made without a network. They survive a restart and are sent in the order of `add`. */
export function createQueue(api: Client, options: QueueOptions): Queue {
  const { storage, owner, onDone, onRefused, onExpired, now = Date.now } = options
  const name = `qx.queue.${owner}`
  let draining: Promise<number> | undefined

  const waiting = () => JSON.parse(storage.get(name) || '[]') as Queued[]
  const keep = (writes: readonly Queued[]) => storage.set(name, JSON.stringify(writes))
  const remove = (write: Queued) => keep(waiting().filter(one => one.asked.key !== write.asked.key))

  async function run(): Promise<number> {
    for (let write = waiting()[0]; write; write = waiting()[0]) {
      if (now() - write.at > LONGEST_WAIT_MS) {
        remove(write)
        if (onExpired) onExpired(write)
        continue
      }
      try {
        const result = await api.send(write.route, write.asked)
        remove(write)
        if (onDone) onDone(write, result)
      } catch (error) {
        if (error instanceof Unreachable) break
        if (!(error instanceof Refused)) throw error
        if (mayComeTrue(error)) break
        remove(write)
        if (onRefused) onRefused(write, error)
      }
    }
    return waiting().length
  }

  return {
    waiting,
    add({ route }, ask) {
      const key = ask.key || newKey()
      const writes = waiting()
      if (writes.length >= MOST_WRITES) throw RangeError(`${MOST_WRITES} writes wait already`)
      keep([...writes, { route, asked: { ...ask, key }, at: now() }])
      return key
    },
    drain() {
      if (!draining) draining = run().finally(() => { draining = undefined })
      return draining
    },
  }
}

/** Tells whether the same write may be accepted later: after a login, a pause, a repair. */
function mayComeTrue({ status, code }: Refused): boolean {
  return status === 401 || status === 429 || status >= 500 || code === 'idempotency.in_flight'
}
