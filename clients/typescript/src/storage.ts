import type { Options, Tokens } from './client.js'

/** Where texts survive a restart. */
export interface Storage {
  get(name: string): string | null
  set(name: string, text: string): void
}

/** `wxStorage(wx)`, `wxStorage(uni)` or `wxStorage(Taro)`. */
export function wxStorage(wx: { getStorageSync(name: string): unknown; setStorageSync(name: string, text: string): void }): Storage {
  return {
    get: name => (wx.getStorageSync(name) as string) || null,
    set: (name, text) => wx.setStorageSync(name, text),
  }
}

/** `webStorage(localStorage)`. */
export function webStorage(storage: { getItem(name: string): string | null; setItem(name: string, text: string): void }): Storage {
  return { get: name => storage.getItem(name), set: (name, text) => storage.setItem(name, text) }
}

/** Keeps the login in a storage, for `Options.tokens`. */
export function tokensIn(storage: Storage, name = 'qx.tokens'): NonNullable<Options['tokens']> {
  return {
    get: () => JSON.parse(storage.get(name) || 'null') as Tokens | null,
    set: tokens => storage.set(name, JSON.stringify(
      tokens && { access_token: tokens.access_token, refresh_token: tokens.refresh_token },
    )),
  }
}
