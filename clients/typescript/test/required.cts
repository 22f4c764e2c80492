// Compiled, never run: the types of `require` are those of the modules.
import client = require('@qingxiang/client')

const api = client.createClient({ baseUrl: '', transport: client.viaWx(wx) })
const points: Promise<number> = client.getMyPoints(api).then(one => one.available)
// @ts-expect-error a body is needed
const wrong = client.checkIn(api)
