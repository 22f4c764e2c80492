import type { Client } from './client.js'
import type { operations } from './generated/schema.js'
import type { Ask, Operation, Result } from './operation.js'

type Item<N extends keyof operations> = Result<N> extends { items: (infer T)[] } ? T : never

/** Yields the items of a list, page after page: `for await (const one of each(api, listRewards)) …`. */
export async function* each<N extends keyof operations>(
  api: Client, operation: Operation<N>, ask?: Ask<N>,
): AsyncGenerator<Item<N>, void, undefined> {
  let cursor: string | null = null
  do {
    const { query } = (ask || {}) as { query?: object }
    const page = await api.send(operation.route, { ...ask, query: { ...query, ...(cursor ? { cursor } : {}) } }) as {
      items: Item<N>[]
      next_cursor: string | null
    }
    yield* page.items
    cursor = page.next_cursor
  } while (cursor)
}
