// The screen in the hall: a code that is never shown after it has died, and who has come.
const hall = document.getElementById('hall')
const words = hall.dataset
const [code, gone, left, say, arrivals] =
  ['code', 'gone', 'left', 'say', 'arrivals'].map(id => document.getElementById(id))
const LIVE_MS = 3000
const MOST_WAIT_MS = 8000
const clock = new Intl.DateTimeFormat('zh-CN', {
  hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false, timeZone: 'Asia/Shanghai',
})
// Two clocks: one stands still while a computer sleeps, the other can be set.
let dies = { running: 0, wall: 0 }

const wait = ms => new Promise(done => setTimeout(done, ms))

function tell(text, isTrouble) {
  say.textContent = text
  say.classList.toggle('away', isTrouble)
}

async function ask(path) {
  const reply = await fetch(words.base + path, {
    headers: { Accept: 'application/json' }, cache: 'no-cache', signal: AbortSignal.timeout(8000),
  })
  if (reply.status === 401) {
    const back = location.pathname + location.search
    location.assign(`/login?back=${encodeURIComponent(back)}`)
  }
  if (!reply.ok) {
    const problem = await reply.json().catch(() => ({}))
    const isBusy = reply.status === 429 || reply.status >= 500
    const text = isBusy ? words.busy : problem.msg ?? words.busy
    throw Object.assign(new Error(text), { told: text, after: reply.headers.get('retry-after') })
  }
  return reply.json()
}

// Asks again after what `show` returns, in milliseconds; after a failure later and later.
async function forever(path, show) {
  for (let failures = 0; ;) {
    let pause
    try {
      pause = show(await ask(path))
      failures = 0
    } catch (error) {
      failures += 1
      tell(error.told ?? words.away, true)
      const asked = Number(error.after ?? 0) * 1000
      pause = Math.max(asked, Math.min(500 * 2 ** failures, MOST_WAIT_MS))
    }
    await wait(pause)
  }
}

function showCode(found) {
  const lasts = found.expires_in * 1000
  const next = found.refresh_after * 1000
  dies = { running: performance.now() + lasts, wall: Date.now() + lasts }
  code.src = `data:image/svg+xml,${encodeURIComponent(found.svg)}`
  code.hidden = false
  gone.hidden = true
  tell(words.scan, false)
  left.getAnimations().forEach(one => one.cancel())
  left.animate([{ transform: 'scaleX(1)' }, { transform: 'scaleX(0)' }],
    { duration: next, fill: 'forwards' })
  return next + 50
}

function hideDeadCode() {
  if (performance.now() < dies.running && Date.now() < dies.wall) return
  if (code.hidden) return
  code.hidden = true
  code.removeAttribute('src')
  gone.textContent = words.hidden
  left.getAnimations().forEach(one => one.cancel())
  gone.hidden = false
}

let known
function row(one) {
  const item = document.createElement('li')
  const name = document.createElement('span')
  const time = document.createElement('time')
  name.textContent = one.name
  time.textContent = clock.format(new Date(one.at))
  time.dateTime = one.at
  item.append(name, time)
  item.classList.toggle('new', known !== undefined && one.at > known)
  return item
}

function nobody() {
  const item = document.createElement('li')
  item.className = 'none'
  item.textContent = words.none
  return item
}

let shown = ''
function showLive(found) {
  const text = JSON.stringify(found)
  if (text !== shown) {
    shown = text
    for (const name of ['checked_in', 'confirmed', 'inside', 'waiting']) {
      const place = document.getElementById(name)
      if (place) place.textContent = found[name]
    }
    const rows = found.arrivals.map(row)
    arrivals.replaceChildren(...(rows.length ? rows : [nobody()]))
    known = found.arrivals[0]?.at ?? ''
  }
  return LIVE_MS
}

forever(`/code?action=${words.action}`, showCode)
forever('/live', showLive)
setInterval(hideDeadCode, 500)

document.getElementById('full').addEventListener('click', () => {
  document.documentElement.requestFullscreen?.()
})
function stayAwake() {
  if (document.visibilityState === 'visible') navigator.wakeLock?.request('screen').catch(() => {})
}
document.addEventListener('visibilitychange', stayAwake)
stayAwake()
