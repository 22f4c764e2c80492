import type { Transport } from './client.js'
import { viaFetch, type Fetch } from './fetch.js'
import type { operations } from './generated/schema.js'
import { define, type Operation } from './operation.js'

/** As much of `wx.uploadFile` as is used. */
export interface Uploader {
  uploadFile(options: {
    url: string
    filePath: string
    name: string
    header: Record<string, string>
    formData: Record<string, string>
    timeout: number
    success(reply: { statusCode: number; data: string }): void
    fail(error: { errMsg?: string }): void
  }): unknown
}

/** An operation with a file; its body may be sent again under the same key. */
export function uploading<N extends keyof operations>(path: string, key: boolean): Operation<N> & ((
  api: Parameters<Operation<N>>[0], ask: Parameters<Operation<N>>[1] & { readonly key?: string }
) => ReturnType<Operation<N>>) {
  return define({ method: 'POST', path, form: true, key }) as never
}

/** `uploadsViaWx(wx)`: a file is `{ path }`, as `wx.chooseMedia` gives it; `timeout` in milliseconds. */
export function uploadsViaWx(uploader: Uploader, timeout = 60_000): Transport {
  return ({ url, headers, form = {} }) => new Promise((resolve, reject) => {
    const formData: Record<string, string> = {}
    let name = '', filePath = ''
    for (const [field, value] of Object.entries(form)) {
      if (value == null) continue
      if (typeof value === 'object') [name, filePath] = [field, (value as { path: string }).path]
      else formData[field] = String(value)
    }
    uploader.uploadFile({
      url, name, filePath, formData, timeout,
      header: headers,
      success: ({ statusCode, data }) => resolve({ status: statusCode, headers: {}, body: data }),
      fail: ({ errMsg }) => reject(errMsg),
    })
  })
}

/** `uploadsViaFetch(fetch, FormData)`: a file is a `Blob` or `File`. */
export function uploadsViaFetch(
  fetch: Fetch, FormData: new () => { append(name: string, value: never): void }, timeout = 60_000,
): Transport {
  const send = viaFetch(fetch, timeout)
  return request => {
    const form = new FormData()
    for (const [field, value] of Object.entries(request.form || {})) {
      if (value != null) form.append(field, (typeof value === 'object' ? value : String(value)) as never)
    }
    return send({ ...request, form: form as never })
  }
}
