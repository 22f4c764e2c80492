import type { Client } from './client.js'
import type { operations } from './generated/schema.js'

/** What the client needs to know of an operation at run time. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  /** It takes an Idempotency-Key. */
  readonly key?: boolean
  /** Sending it twice does what sending it once does, without a key. */
  readonly again?: boolean
  /** Its body is sent as `multipart/form-data`. */
  readonly form?: boolean
  /** Makes the result of a reply that is not JSON. */
  readonly read?: (reply: Reply) => unknown
  /** The reply is asked for as bytes; decodes those of a refusal. */
  readonly decode?: (bytes: ArrayBuffer) => string
}

/** A reply as a transport gives it. Names of headers may be in any case. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | ArrayBuffer
}

/** A file that was downloaded. */
export interface Downloaded {
  readonly bytes: ArrayBuffer
  /** The media type. */
  readonly type: string
  readonly name: string
}

type Parameters<O, K extends string> = O extends { parameters: infer P }
  ? P extends { [k in K]?: infer V } ? NonNullable<V> : never
  : never
type Content<C> = C extends { 'application/json': infer T } ? T : C[keyof C]
type BodyOf<O> = O extends { requestBody: { content: infer C } } ? Content<C>
  : O extends { requestBody?: { content: infer C } } ? Content<C> | undefined
    : undefined
type Part<K extends string, V> = [V] extends [never] ? object
  : undefined extends V ? { readonly [k in K]?: Exclude<V, undefined> }
    : Partial<V> extends V ? { readonly [k in K]?: V } : { readonly [k in K]: V }

/** What an operation is asked with: `path`, `query`, `header` and `body`, as far as it has them. */
export type Ask<N extends keyof operations> = Part<'path', Parameters<operations[N], 'path'>>
  & Part<'query', Parameters<operations[N], 'query'>>
  & Part<'header', Parameters<operations[N], 'header'>>
  & ([BodyOf<operations[N]>] extends [undefined] ? object : Part<'body', BodyOf<operations[N]>>)

type ResultOf<R> = R extends { content: { 'application/json': infer T } } ? T
  : R extends { content: { 'image/svg+xml': string } | { 'text/html': string } } ? string
    : R extends { content: object } ? Downloaded : undefined

/** What an operation returns: its JSON, a picture or page as text, a file, or nothing. */
export type Result<N extends keyof operations> = operations[N]['responses'] extends infer R
  ? ResultOf<R[keyof R & (200 | 201 | 202 | 204)]> : never

type Arguments<A> = Partial<A> extends A ? [ask?: A] : [ask: A]

/** One operation of the API: `await getMe(api)`. Throws `Refused` or `Unreachable`. */
export interface Operation<N extends keyof operations> {
  (api: Client, ...ask: Arguments<Ask<N>>): Promise<Result<N>>
  readonly route: Route & { readonly of?: N }
}

/** A write that takes an Idempotency-Key. Without `key` a new one is made for each call. */
export interface KeyedOperation<N extends keyof operations> extends Operation<N> {
  (api: Client, ...ask: Arguments<Ask<N> & { readonly key?: string }>): Promise<Result<N>>
  readonly keyed: true
}

export function define<N extends keyof operations>(route: Route): Operation<N> {
  const call = (api: Client, ask?: object) => api.send(route, ask)
  return Object.assign(call, { route }) as unknown as Operation<N>
}

/** A read. */
export const reading = <N extends keyof operations>(path: string): Operation<N> =>
  define({ method: 'GET', path, again: true })

/** A write without a key; `again`: it may be repeated. */
export const writing = <N extends keyof operations>(method: Route['method'], path: string, again = false): Operation<N> =>
  define({ method, path, again })

/** A write with a key. */
export const keyed = <N extends keyof operations>(method: Route['method'], path: string): KeyedOperation<N> =>
  define({ method, path, key: true }) as KeyedOperation<N>
