import type { Transport } from './client.js'

/** As much of `wx.request` (and `uni.request`, `Taro.request`) as is used. */
export interface Requester {
  request(options: {
    url: string
    method: never
    header: Record<string, string>
    data?: never
    dataType: never
    responseType: never
    timeout: number
    success(reply: { statusCode: number; header: object; data: unknown }): void
    fail(error: { errMsg?: string }): void
  }): unknown
}

/** `viaWx(wx)`, `viaWx(uni)` or `viaWx(Taro)`; `timeout` in milliseconds. */
export function viaWx(requester: Requester, timeout = 15_000): Transport {
  return ({ method, url, headers, body, binary }) => new Promise((resolve, reject) => {
    requester.request({
      url,
      timeout,
      method: method as never,
      header: headers,
      ...(body === undefined ? {} : { data: body as never }),
      dataType: 'text' as never, // otherwise it is parsed there
      responseType: (binary ? 'arraybuffer' : 'text') as never,
      success: ({ statusCode, header, data }) => resolve({
        status: statusCode,
        headers: header as Record<string, string>,
        // Some platforms parse JSON whatever they are told.
        body: typeof data === 'string' || binary ? data as string : data ? JSON.stringify(data) : '',
      }),
      fail: ({ errMsg }) => reject(errMsg),
    })
  })
}
