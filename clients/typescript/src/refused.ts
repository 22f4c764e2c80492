import type { CodesOf, FactsOf } from './generated/refusals.js'
import type { Operation } from './operation.js'
import type { Facts, operations, Problem, RefusalCode } from './generated/schema.js'

/** `http.502` and the like: a reply that is not one of the service, such as a proxy's page. */
export type Code = RefusalCode | `http.${number}`

/** The service answered with a status from 400 on. Show `message`, branch on `code`. */
export class Refused extends Error {
  override name = 'Refused'
  readonly code: Code
  /** Values of the refusal: how many, when, which. Empty if it has none. */
  readonly facts: Facts
  constructor(
    readonly status: number,
    readonly problem: Omit<Problem, 'code'> & { code: Code },
    /** Seconds after which the service may say yes; null: it did not say. */
    readonly retryAfter: number | null,
    /** The Idempotency-Key that was sent. */
    readonly key: string | undefined,
  ) {
    super(problem.msg)
    this.code = problem.code
    this.facts = problem.facts || {}
  }
}

/** No answer came: it is unknown whether a write took place. Repeat it with the same `key`. */
export class Unreachable extends Error {
  override name = 'Unreachable'
  constructor(message: string, readonly key: string | undefined) { super(message) }
}

type FactsFor<C> = C extends keyof FactsOf
  ? { readonly [F in FactsOf[C]]?: F extends keyof Facts ? NonNullable<Facts[F]> : unknown }
  : Record<never, never>

/** A refusal by its code: `facts` has what this code has. A union, if `C` is one. */
export type Refusal<C extends string = keyof FactsOf> = C extends unknown
  ? Omit<Refused, 'code' | 'facts'> & { readonly code: C; readonly facts: FactsFor<C> }
  : never

/** The refusals of an operation, a union by `code`. */
export type RefusalOf<N extends keyof operations> = N extends keyof CodesOf ? Refusal<CodesOf[N]> : never

/**
 * Tells whether an operation threw its refusal. `switch (error.code)` then knows the codes of the
 * operation and the facts of each. Give the switch a `default`: later versions add codes.
 */
export function isRefused<N extends keyof operations>(error: unknown, _by: Operation<N>): error is RefusalOf<N> {
  return error instanceof Refused
}
