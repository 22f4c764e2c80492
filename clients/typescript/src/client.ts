import type { Problem } from './generated/schema.js'
import type { Reply, Route } from './operation.js'
import { Refused, Unreachable } from './refused.js'

/** A file to be uploaded: its path in a mini-program, a `Blob` or `File` in a browser. */
export type Upload = { readonly path: string } | { readonly size: number; readonly type: string }

/** One HTTP request as a transport gets it; `body` is JSON. */
export interface Request {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Fields of a form, one of them a file; only `Options.upload` gets those. */
  readonly form?: Readonly<Record<string, unknown>>
  /** The reply's body is wanted as an `ArrayBuffer`. */
  readonly binary?: boolean
}

/** Sends one request. Rejects only if no answer came. */
export type Transport = (request: Request) => Promise<Reply>

export interface Tokens { readonly access_token: string; readonly refresh_token: string }

export interface Options {
  /** Address of the service without a slash at its end. */
  readonly baseUrl: string
  /** `viaWx(wx)`, `viaFetch(fetch)` or one's own. */
  readonly transport: Transport
  /** `uploadsViaWx(wx)` or `uploadsViaFetch(fetch, FormData)`; for operations that take a file. */
  readonly upload?: Transport
  /** Where the login is kept. */
  readonly tokens?: { get(): Tokens | null; set(tokens: Tokens | null): void }
  /** Makes a new login when there is none or it has ended, or returns null. */
  readonly logIn?: (api: Client) => Promise<Tokens | null>
  readonly language?: 'zh-CN' | 'en'
  /** How often a repeatable request is sent again; 2 if left out. */
  readonly retries?: number
  /** Waits for milliseconds; `setTimeout` if left out. */
  readonly wait?: (ms: number) => Promise<void>
}

/** What an operation was asked with. */
export interface Asked {
  readonly path?: Readonly<Record<string, unknown>>
  readonly query?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
  readonly body?: unknown
  readonly key?: string
}

export interface Client {
  /** Sends a request; operations call it. Throws `Refused` or `Unreachable`. */
  send(route: Route, asked?: Asked): Promise<unknown>
  /** Keeps a new login, or none, and forgets the replies to the one before. */
  hold(tokens: Tokens | null): void
}

declare function setTimeout(run: () => void, ms: number): unknown

const KEPT_REPLIES = 100
const LONGEST_WAIT_S = 10
const REFRESH: Route = { method: 'POST', path: '/api/v1/auth/refresh' }
// Sent without the login, which they make or renew.
const LOGIN_PATHS = ['/api/v1/auth/wechat', REFRESH.path]
const sleep = (ms: number) => new Promise<void>(done => { setTimeout(done, ms) })

export function createClient(options: Options): Client {
  const { baseUrl, tokens, logIn, language = 'zh-CN', retries = 2, wait = sleep } = options
  // Replies with an ETag, by URL and headers, as text: who changes a result does not change the
  // kept one.
  let kept = new Map<string, { etag: string; body: string }>()
  let renewing: Promise<void> | undefined

  const client: Client = { send, hold }
  return client

  function hold(next: Tokens | null): void {
    kept = new Map()
    if (tokens) tokens.set(next)
  }

  async function send(route: Route, asked: Asked = {}): Promise<unknown> {
    const { method, path } = route
    if (route.form && !options.upload) throw TypeError('options.upload is missing')
    const key = route.key ? asked.key || newKey() : undefined
    const url = baseUrl + fill(path, asked.path || {}) + query(asked.query || {})
    const place = url + JSON.stringify(asked.header || '')
    const replies = kept
    const isLogin = LOGIN_PATHS.includes(path)
    let renewed = false
    for (let left = route.key || route.again ? retries : 0; ; left--) {
      const held = tokens && !isLogin ? tokens.get() : null
      const known = method === 'GET' ? replies.get(place) : undefined
      const pause = 400 * 2 ** (retries - left) * (1 + Math.random())
      let reply: Reply
      try {
        reply = await exchange(route, url, asked, held, key, known && known.etag)
      } catch (error) {
        if (left <= 0) throw new Unreachable(String(error), key)
        await wait(pause)
        continue
      }
      const { status } = reply
      if (status === 304 && known) return JSON.parse(known.body)
      if (status < 400) return accept(route, reply, key, replies, place)
      if (status === 401 && !renewed && !isLogin && tokens && (held || logIn)) {
        renewed = true
        left++
        await renew(held)
        continue
      }
      const refusal = refused(route, reply, key)
      const after = refusal.retryAfter
      const later = (status > 501 && status < 505) || refusal.code === 'idempotency.in_flight'
      if (!later || left <= 0 || (after || 0) > LONGEST_WAIT_S) throw refusal
      await wait(after ? after * 1000 : pause)
    }
  }

  function exchange(
    route: Route, url: string, { header, body }: Asked,
    held: Tokens | null, key: string | undefined, etag: string | undefined,
  ): Promise<Reply> {
    const headers: Record<string, string> = { 'Accept-Language': language }
    if (held) headers['Authorization'] = `Bearer ${held.access_token}`
    if (key) headers['Idempotency-Key'] = key
    if (etag) headers['If-None-Match'] = etag
    for (const [name, value] of present(header || {})) headers[name] = value
    const request = { method: route.method, url, headers, binary: !!route.decode }
    if (route.form) return options.upload!({ ...request, form: body as Record<string, unknown> })
    if (body === undefined) return options.transport(request)
    headers['Content-Type'] = 'application/json'
    return options.transport({ ...request, body: JSON.stringify(body) })
  }

  function accept(route: Route, reply: Reply, key: string | undefined, replies: typeof kept, place: string): unknown {
    if (route.read) return route.read(reply)
    const body = reply.body as string
    let result: unknown
    try {
      result = body ? JSON.parse(body) : undefined
    } catch {
      throw new Unreachable('a reply that is not JSON', key) // a page of the network's owner
    }
    const etag = route.method === 'GET' && headerOf(reply, 'etag')
    if (etag) {
      replies.delete(place)
      replies.set(place, { etag, body })
      if (replies.size > KEPT_REPLIES) replies.delete(replies.keys().next().value as string)
    }
    return result
  }

  /** Renews the login that a request used, once for all that wait: a refresh token works once. */
  function renew(used: Tokens | null): Promise<void> | undefined {
    const now = tokens!.get()
    if (now && (!used || now.access_token !== used.access_token)) return undefined // renewed meanwhile
    if (!renewing) renewing = exchanged(now).finally(() => { renewing = undefined })
    return renewing
  }

  async function exchanged(spent: Tokens | null): Promise<void> {
    const isHeld = () => (tokens!.get() || { refresh_token: '' }).refresh_token === (spent ? spent.refresh_token : '')
    if (spent) {
      try {
        const next = await send(REFRESH, { body: { refresh_token: spent.refresh_token } }) as Tokens
        if (isHeld()) tokens!.set(next) // else somebody logged out or in meanwhile
        return
      } catch (error) {
        if (!(error instanceof Refused) || error.status !== 401) throw error
        if (!isHeld()) return // another page with the same storage was first
      }
    }
    hold(null)
    if (logIn) hold(await logIn(client))
  }

  function refused(route: Route, reply: Reply, key: string | undefined): Refused {
    const { status, body } = reply
    let problem = {} as Problem
    try {
      problem = JSON.parse(typeof body === 'string' ? body : route.decode!(body))
    } catch { /* a proxy's page */ }
    const after = (problem.facts && problem.facts.retry_after) || Number(headerOf(reply, 'retry-after')) || null
    if (problem.code) return new Refused(status, problem, after, key)
    const msg = language === 'en' ? 'The service is not available. Try again later.' : '服务暂时不可用，请稍后再试'
    return new Refused(status, {
      type: 'about:blank', title: '', status, detail: msg, code: `http.${status}`, msg,
      request_id: headerOf(reply, 'x-request-id') || '',
    }, after, key)
  }
}

/** Returns a header of a reply; transports differ in the case of names. */
export function headerOf(reply: Reply, wanted: string): string | undefined {
  const name = Object.keys(reply.headers).find(one => one.toLowerCase() === wanted)
  return name && reply.headers[name]
}

/** A new Idempotency-Key: 32 characters, from the time and `Math.random`; mini-programs have no `crypto`. */
export function newKey(): string {
  let text = Date.now().toString(36)
  while (text.length < 32) text += Math.random().toString(36).slice(2)
  return text.slice(0, 32)
}

function present(values: object): [string, string][] {
  return Object.entries(values).filter(([, value]) => value != null).map(([name, value]) => [name, String(value)])
}

function fill(path: string, values: Readonly<Record<string, unknown>>): string {
  return path.replace(/{(\w+)}/g, (_, name: string) => encodeURIComponent(String(values[name])))
}

function query(values: object): string {
  const pairs = present(values).map(pair => pair.map(encodeURIComponent).join('='))
  return pairs.length ? `?${pairs.join('&')}` : ''
}
