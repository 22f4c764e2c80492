import type { Transport } from './client.js'

/** As much of `fetch` as is used: types of the DOM are not needed. */
export type Fetch = (url: string, init: { method: string; headers: Record<string, string>; body?: never }) => Promise<{
  readonly status: number
  readonly headers: { forEach(each: (value: string, name: string) => void): void }
  text(): Promise<string>
  arrayBuffer(): Promise<ArrayBuffer>
}>

declare function setTimeout(run: () => void, ms: number): number
declare function clearTimeout(timer: number): void

/** For browsers and Node: `viaFetch((url, init) => fetch(url, init))`; `timeout` in milliseconds. */
export function viaFetch(fetch: Fetch, timeout = 15_000): Transport {
  return async ({ method, url, headers, body, form, binary }) => {
    let timer = 0
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(Error(`no answer within ${timeout} ms`)), timeout)
    })
    const exchange = async () => {
      const sent = form || body
      const response = await fetch(url, { method, headers, ...(sent ? { body: sent as never } : {}) })
      const found: Record<string, string> = {}
      response.headers.forEach((value, name) => { found[name] = value })
      return {
        status: response.status, headers: found,
        body: await (binary ? response.arrayBuffer() : response.text()),
      }
    }
    try {
      return await Promise.race([exchange(), late])
    } finally {
      clearTimeout(timer)
    }
  }
}
