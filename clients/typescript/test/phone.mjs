// A phone: the built client in a V8 context that has `wx` and timers and nothing else of a host.
import { readFileSync } from 'node:fs'
import vm from 'node:vm'

export const BASE = process.env.QX_URL ?? 'http://127.0.0.1:8000'
const FILE = process.env.QX_CLIENT ?? new URL('../miniprogram_dist/index.js', import.meta.url)
const SOURCE = readFileSync(FILE, 'utf8')
const METHODS = ['OPTIONS', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'CONNECT']

export const newcomer = () => `newcomer-${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`

/** Returns a code that `logIn` takes, for a person of the sandbox. */
export async function codeOf(user) {
  const reply = await fetch(`${BASE}/sandbox/wechat/codes`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ user }),
  })
  return (await reply.json()).code
}

/**
 * Starts the client on a phone with a storage, which survives if it is given to the next phone.
 * `network.before(request)` and `network.after(request, reply)` run around each exchange: what
 * they throw is a failure of the network, and `after` may change the reply. `sent` is the log.
 */
export function startPhone(options = {}, stored = new Map()) {
  const sent = []
  const files = new Map()
  const network = { before: async () => {}, after: async () => {} }
  const wx = {
    env: { USER_DATA_PATH: 'wxfile://usr' },
    getStorageSync: name => stored.get(name) ?? '',
    setStorageSync: (name, value) => { stored.set(name, value) },
    request: ({ url, method, header, data, dataType, responseType, success, fail }) => {
      if (!METHODS.includes(method)) throw Error(`wx.request has no ${method}`)
      if (!['string', 'undefined'].includes(typeof data)) throw Error('a body that is not text')
      exchange({ method, url, header, body: data }).then(({ status, headers, bytes }) => {
        const text = () => new TextDecoder().decode(bytes)
        const parsed = responseType === 'arraybuffer' ? bytes : dataType === 'json' ? JSON.parse(text()) : text()
        success({ statusCode: status, header: headers, data: parsed })
      }, error => fail({ errMsg: `request:fail ${error.message}` }))
    },
    uploadFile: ({ url, filePath, name, header, formData, success, fail }) => {
      if (typeof filePath !== 'string') throw Error('a file without a path')
      const body = new FormData()
      for (const [field, value] of Object.entries(formData)) body.append(field, value)
      body.append(name, new Blob([files.get(filePath)]), filePath.split('/').pop())
      exchange({ method: 'POST', url, header, body, form: { ...formData } }).then(
        ({ status, bytes }) => success({ statusCode: status, data: new TextDecoder().decode(bytes) }),
        error => fail({ errMsg: `uploadFile:fail ${error.message}` }),
      )
    },
    getFileSystemManager: () => ({
      writeFile: ({ filePath, data, success }) => { files.set(filePath, data); success() },
    }),
  }

  async function exchange(request) {
    sent.push(request)
    await network.before(request)
    const reply = await fetch(request.url, { method: request.method, headers: { ...request.header }, body: request.body })
    const found = { status: reply.status, headers: Object.fromEntries(reply.headers), bytes: await reply.arrayBuffer() }
    request.status = found.status
    request.replayed = found.headers['idempotency-replayed']
    return (await network.after(request, found)) ?? found
  }

  const module = { exports: {} }
  vm.runInNewContext(SOURCE, { module, exports: module.exports, wx, setTimeout })
  const qx = module.exports
  const storage = qx.wxStorage(wx)
  const api = qx.createClient({
    baseUrl: BASE, transport: qx.viaWx(wx), upload: qx.uploadsViaWx(wx), tokens: qx.tokensIn(storage),
    wait: async () => {}, ...options,
  })

  /** Logs a person of the sandbox in, somebody new if none is named, and keeps the login. */
  async function logIn(user = newcomer()) {
    const login = await qx.logIn(api, { body: { code: await codeOf(user) } })
    api.hold(login)
    sent.length = 0
    return login
  }
  return { api, files, logIn, network, qx, sent, storage, stored, wx }
}

/** Fails the first `times` exchanges that match, after the service has done its work. */
export function loseReplies(phone, matches, times = 1) {
  phone.network.after = async request => {
    if (matches(request) && times-- > 0) throw Error('interrupted')
  }
}

export const isTo = (path, method = 'POST') => request => request.method === method && request.url.includes(path)
