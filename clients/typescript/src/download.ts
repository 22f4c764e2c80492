import { headerOf } from './client.js'
import type { operations } from './generated/schema.js'
import { define, type Downloaded, type Operation } from './operation.js'

/** A read whose reply is a file. */
export const downloading = <N extends keyof operations>(path: string): Operation<N> => define({
  method: 'GET',
  path,
  again: true,
  decode,
  read: (reply): Downloaded => ({
    bytes: reply.body as ArrayBuffer,
    type: headerOf(reply, 'content-type') || '',
    name: nameIn(headerOf(reply, 'content-disposition') || ''),
  }),
})

/** A read whose reply is text: a picture as SVG, a page. */
export const readingText = <N extends keyof operations>(path: string): Operation<N> =>
  define({ method: 'GET', path, again: true, read: reply => reply.body })

/** As much of `wx` as is used for writing a file. */
export interface Files {
  readonly env: { readonly USER_DATA_PATH?: string }
  getFileSystemManager(): {
    writeFile(options: {
      filePath: string
      data: ArrayBuffer
      success(): void
      fail(error: { errMsg?: string }): void
    }): unknown
  }
}

/** Writes a file to the mini-program's folder; returns its path, for `wx.openDocument`. */
export function saveVia(wx: Files, file: Downloaded): Promise<string> {
  const filePath = `${wx.env.USER_DATA_PATH}/${file.name.replace(/[\\/:*?"<>|]/g, '_') || 'file'}`
  return new Promise((resolve, reject) => wx.getFileSystemManager().writeFile({
    filePath,
    data: file.bytes,
    success: () => resolve(filePath),
    fail: ({ errMsg }) => reject(Error(errMsg)),
  }))
}

function nameIn(disposition: string): string {
  const [, coded] = /filename\*=utf-8''([^;]+)/i.exec(disposition) || []
  if (coded) return decodeURIComponent(coded)
  const [, plain] = /filename="?([^";]+)/i.exec(disposition) || []
  return plain || ''
}

/** Decodes UTF-8; mini-programs have no `TextDecoder`. */
function decode(bytes: ArrayBuffer): string {
  let text = ''
  for (const byte of new Uint8Array(bytes)) text += `%${(256 + byte).toString(16).slice(1)}`
  return decodeURIComponent(text)
}
