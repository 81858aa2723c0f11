// What moves in the browser: the live seat map, the countdown, the test cards and the status figures. Everything
// else is plain pages and forms. No library, no build; the same origin only.

const find = (selector, within = document) => within.querySelector(selector)

/* ---- The seat map ------------------------------------------------------------------------------- */

const STATE_WORDS = { f: '', h: ', on hold', s: ', sold', x: ', not for sale' }
const RECONNECT_MS = 2000

function startSeatMap(root) {
  const { event, mark, limit } = root.dataset
  const prices = JSON.parse(root.dataset.prices)
  const { currency } = JSON.parse(root.dataset.money)
  const money = new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'narrowSymbol' })
  const minor = 10 ** money.resolvedOptions().maximumFractionDigits
  const svg = find('svg.seats', root)
  const seats = new Map()
  const chosen = new Set()
  let requestKey = ''

  for (const node of svg.querySelectorAll('.seat')) {
    const x = node.cx.baseVal.value
    const y = node.cy.baseVal.value
    seats.set(node.dataset.seat, { node, x, y, label: node.getAttribute('aria-label') })
    describe(node)
  }

  function describe(node) {
    const seat = seats.get(node.dataset.seat)
    const mine = node.classList.contains('mine')
    const state = node.dataset.state
    const free = state === 'f'
    node.setAttribute('aria-label', seat.label + (mine && state === 'h' ? ', held by you' : STATE_WORDS[state]))
    if (free || chosen.has(node.dataset.seat)) node.removeAttribute('aria-disabled')
    else node.setAttribute('aria-disabled', 'true')
  }

  /* Choosing */

  function toggle(id) {
    const seat = seats.get(id)
    if (!seat) return
    if (chosen.has(id)) choose(id, false)
    else if (seat.node.dataset.state !== 'f') say(`${seat.node.getAttribute('aria-label')}.`)
    else if (chosen.size >= Number(limit)) toast(`One customer may have ${limit} seats of a night.`)
    else choose(id, true)
  }

  function choose(id, on) {
    const { node } = seats.get(id)
    if (on) chosen.add(id)
    else chosen.delete(id)
    node.setAttribute('aria-checked', String(on))
    describe(node)
    // Another choice is another request; the same choice sent twice is one.
    requestKey = crypto.randomUUID()
    showBasket()
  }

  function showBasket() {
    const ids = [...chosen]
    const total = ids.reduce((sum, id) => sum + Number(prices[id.split('-')[0]]), 0)
    find('[data-count]', root).textContent =
      ids.length === 0 ? 'No seats chosen yet' : `${ids.length} ${ids.length === 1 ? 'seat' : 'seats'} chosen`
    find('[data-list]', root).textContent = ids.join('  ·  ')
    find('[data-total]', root).textContent = ids.length === 0 ? '' : money.format(total / minor)
    find('[data-hold]', root).disabled = ids.length === 0
  }

  svg.addEventListener('click', (click) => {
    const node = click.target.closest('.seat')
    if (!node) return
    enter(node)
    toggle(node.dataset.seat)
  })

  /* The keyboard: one seat is in the tab order, arrows move to the next one in their direction */

  const first = [...seats.values()].find(({ node }) => node.dataset.state === 'f') ?? [...seats.values()][0]
  let current = first.node
  current.setAttribute('tabindex', '0')

  function enter(node) {
    current.setAttribute('tabindex', '-1')
    current = node
    current.setAttribute('tabindex', '0')
  }

  const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

  svg.addEventListener('keydown', (press) => {
    if (press.key === ' ' || press.key === 'Enter') {
      press.preventDefault()
      toggle(current.dataset.seat)
      return
    }
    const direction = DIRECTIONS[press.key]
    if (!direction) return
    press.preventDefault()
    const next = neighbour(seats.get(current.dataset.seat), direction)
    if (!next) return
    enter(next.node)
    next.node.focus()
    next.node.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  })

  /** The nearest seat that way; a seat off the line counts as three times as far. */
  function neighbour(from, [dx, dy]) {
    let best
    let least = Number.POSITIVE_INFINITY
    for (const seat of seats.values()) {
      const along = (seat.x - from.x) * dx + (seat.y - from.y) * dy
      const across = Math.abs((seat.x - from.x) * dy) + Math.abs((seat.y - from.y) * dx)
      if (along < 4 || across > along * 2) continue
      const distance = along + across * 3
      if (distance < least) {
        least = distance
        best = seat
      }
    }
    return best
  }

  /* Size: as wide as there is room, but never so small that a finger cannot hit a seat */

  const scroller = find('[data-map-scroll]', root)
  const natural = svg.viewBox.baseVal.width
  let zoom = 1
  function fitWidth() {
    const smallest = matchMedia('(pointer: coarse), (max-width: 40rem)').matches ? 1 : 0.45
    const scale = Math.min(1.5, Math.max(smallest, scroller.clientWidth / natural)) * zoom
    const centre = (scroller.scrollLeft + scroller.clientWidth / 2) / Math.max(1, scroller.scrollWidth)
    svg.style.width = `${natural * scale}px`
    scroller.scrollLeft = centre * scroller.scrollWidth - scroller.clientWidth / 2
  }
  for (const button of root.querySelectorAll('[data-zoom]'))
    button.addEventListener('click', () => {
      zoom = Math.min(3, Math.max(0.5, zoom * (button.dataset.zoom === 'in' ? 1.3 : 1 / 1.3)))
      fitWidth()
    })
  addEventListener('resize', fitWidth)
  fitWidth()
  scroller.scrollLeft = (scroller.scrollWidth - scroller.clientWidth) / 2

  /* What changes */

  let known = mark
  let stream
  function listen() {
    stream = new EventSource(`/events/${event}/live?since=${encodeURIComponent(known)}`)
    stream.addEventListener('open', () => showLive(true))
    stream.addEventListener('map', (message) => {
      known = message.lastEventId
      const { all, seats: changed } = JSON.parse(message.data)
      if (all) for (const id of seats.keys()) turn(id, changed[id] ?? 'f')
      else for (const id of Object.keys(changed)) turn(id, changed[id])
      showLive(true)
    })
    stream.addEventListener('state', (message) => showLive(JSON.parse(message.data).fresh))
    stream.addEventListener('error', () => {
      showLive(false)
      // The browser comes back by itself, unless it was told to stay away.
      if (stream.readyState !== EventSource.CLOSED) return
      setTimeout(listen, RECONNECT_MS)
    })
  }

  function turn(id, state) {
    const seat = seats.get(id)
    if (!seat || seat.node.dataset.state === state) return
    seat.node.dataset.state = state
    if (state === 'f') seat.node.classList.remove('mine')
    seat.node.classList.add('turned')
    setTimeout(() => seat.node.classList.remove('turned'), 900)
    if (state !== 'f' && chosen.has(id) && !holding) {
      choose(id, false)
      toast(`Seat ${id} was just taken by somebody else.`)
    }
    describe(seat.node)
  }

  function showLive(on) {
    const line = find('[data-live]', root)
    line.dataset.liveState = on ? 'on' : 'off'
    const free = [...seats.values()].filter(({ node }) => node.dataset.state === 'f').length
    find('[data-live-text]', root).textContent = on ? `Live · ${free.toLocaleString('en')} free` : 'Connecting'
  }

  listen()
  addEventListener('pagehide', () => stream.close())
  // A browser opens six connections to a host, and every map takes one: a page that nobody sees lets go of its own.
  document.addEventListener('visibilitychange', () => {
    stream.close()
    if (!document.hidden) listen()
  })
  addEventListener('pageshow', (shown) => shown.persisted && location.reload())

  /* Holding */

  let holding = false
  find('[data-basket]', root).addEventListener('submit', async (submit) => {
    submit.preventDefault()
    if (holding || chosen.size === 0) return
    holding = true
    const button = find('[data-hold]', root)
    button.disabled = true
    try {
      const answer = await fetch(submit.target.action, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ seats: [...chosen], key: requestKey }),
      })
      const body = await answer.json()
      if (answer.ok) {
        location.assign(body.url)
        return
      }
      holding = false
      for (const id of body.error.taken ?? []) if (chosen.has(id)) choose(id, false)
      toast(body.error.message)
    } catch {
      holding = false
      toast('The box office did not answer. Your choice is kept: try again.')
    }
    showBasket()
  })

  /* Words */

  let hiding
  function toast(text) {
    const line = find('[data-toast]', root)
    line.textContent = text
    line.hidden = false
    clearTimeout(hiding)
    hiding = setTimeout(() => {
      line.hidden = true
    }, 5000)
    say(text)
  }

  function say(text) {
    find('[data-say]', root).textContent = text
  }
}

/* ---- The countdown ------------------------------------------------------------------------------ */

function startCountdown(line) {
  // Counted by the server's clock: what it said was "now" when it made the page, and how long that is ago.
  const left = Number(line.dataset.expires) - Number(line.dataset.now)
  const opened = performance.now()
  const out = find('[data-left]', line)
  const ticking = setInterval(tick, 250)
  function tick() {
    const seconds = Math.max(0, Math.ceil((left - (performance.now() - opened)) / 1000))
    const minutes = Math.floor(seconds / 60)
    out.textContent = `${minutes}:${String(seconds % 60).padStart(2, '0')}`
    line.toggleAttribute('data-urgent', seconds < 60)
    if (seconds > 0) return
    clearInterval(ticking)
    for (const button of document.querySelectorAll('[data-pay] button')) button.disabled = true
    const back = document.createElement('a')
    back.href = line.dataset.back
    back.textContent = 'Choose again'
    line.replaceChildren('Your time ran out, and the seats went back. ', back)
    line.setAttribute('role', 'alert')
  }
  line.firstChild.textContent = 'Held for you for '
  tick()
}

/* ---- Paying ------------------------------------------------------------------------------------- */

function startPaying(form) {
  for (const chip of form.querySelectorAll('[data-card]'))
    chip.addEventListener('click', () => {
      form.elements.number.value = chip.dataset.card
      form.elements.expiry.value = `12/${String((new Date().getFullYear() + 2) % 100).padStart(2, '0')}`
      form.elements.cvc.value = '123'
      find('button[type=submit]', form).focus()
    })
  form.elements.number.addEventListener('input', (typed) => {
    const field = typed.target
    if (field.selectionStart !== field.value.length) return
    field.value = field.value
      .replace(/\D/g, '')
      .slice(0, 19)
      .replace(/(\d{4})(?=\d)/g, '$1 ')
  })
  form.addEventListener('submit', () => {
    // After the browser has taken the values; a second click would only repeat the same request.
    setTimeout(() => {
      const button = find('button[type=submit]', form)
      button.disabled = true
      button.textContent = 'Paying'
    })
  })
}

/** While payments are paused, looks whether they are open again; then says so, and the next payment is tried. */
async function startPaused(line) {
  while (!line.hidden) {
    await new Promise((resolve) => setTimeout(resolve, 1500))
    const answer = await fetch('/payments.json').catch(() => undefined)
    const { state } = answer?.ok ? await answer.json() : { state: 'open' }
    if (state === 'open') continue
    line.textContent = 'Payments are open again. Please try once more.'
    return
  }
}

/* ---- Status and orders -------------------------------------------------------------------------- */

function startStatus(root) {
  const line = find('[data-live]')
  const words = find('[data-live-words]')
  const stream = new EventSource('/status/live')
  const show = (state, text) => {
    line.dataset.liveState = state
    if (words.textContent !== text) words.textContent = text
  }
  stream.addEventListener('parts', ({ data }) => {
    const { mood, fresh, parts } = JSON.parse(data)
    for (const [name, html] of Object.entries(parts)) {
      const part = find(`[data-part="${CSS.escape(name)}"]`, root)
      if (part) part.innerHTML = html
    }
    for (const button of root.querySelectorAll('[data-mood]'))
      button.setAttribute('aria-pressed', String(button.value === mood))
    show(fresh ? 'on' : 'off', fresh ? 'Live' : 'Redis does not answer: figures are old')
  })
  stream.addEventListener('error', () => show('off', 'Connection lost, trying again'))
  // A browser that leaves keeps no connection.
  addEventListener('pagehide', () => stream.close())
}

/** Asks for the page again, a few times and ever more seldom, until the receipt is out; the page stays where it is. */
async function startReceipt(line) {
  for (let waitMs = 500; line.dataset.receipt === 'due' && waitMs < 60_000; waitMs *= 1.7) {
    await new Promise((resolve) => setTimeout(resolve, waitMs))
    const answer = await fetch(location.href, { headers: { accept: 'text/html' } }).catch(() => undefined)
    if (!answer?.ok) continue
    const now = find('[data-receipt]', new DOMParser().parseFromString(await answer.text(), 'text/html'))
    if (!now) return
    line.dataset.receipt = now.dataset.receipt
    find('[role=status]', line).textContent = find('[role=status]', now).textContent
  }
}

const map = find('[data-seat-map]')
if (map) startSeatMap(map)
const countdown = find('[data-countdown]')
if (countdown) startCountdown(countdown)
const paying = find('[data-pay]')
if (paying) startPaying(paying)
const pausedLine = find('[data-paused]')
if (pausedLine) startPaused(pausedLine)
const status = find('[data-status]')
if (status) startStatus(status)
if (find('[data-order-state=pending]')) setTimeout(() => location.reload(), 2000)
const receipt = find('[data-receipt=due]')
if (receipt) startReceipt(receipt)
if (find('[data-report-pending]')) setTimeout(() => location.reload(), 700)
