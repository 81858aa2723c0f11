// What the page tests ask of a page, run inside it. Plain JavaScript, sent as text: the tests know no types of the DOM.

/** Where the keyboard is: a seat by its id, anything else by its words, nothing as ''. */
export function focused() {
  const element = document.activeElement
  if (!element || element === document.body) return ''
  return element.dataset.seat ?? element.textContent.trim()
}

/** How far the page can be scrolled to the side. */
export function sidewaysScroll() {
  return document.documentElement.scrollWidth - document.documentElement.clientWidth
}

/** Is there a way with the arrow keys from the first seat to every other? [reached, all]. */
export function reachableSeats() {
  const seats = [...document.querySelectorAll('.seat')]
  const svg = document.querySelector('svg.seats')
  const seen = new Set()
  const queue = [seats[0]]
  while (queue.length > 0) {
    const from = queue.pop()
    if (!from?.dataset.seat || seen.has(from)) continue
    seen.add(from)
    for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']) {
      // Chosen and let go again: the map is at this seat now.
      for (let i = 0; i < 2; i += 1) from.dispatchEvent(new MouseEvent('click', { bubbles: true }))
      from.focus()
      svg.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))
      queue.push(document.activeElement)
    }
  }
  return [seen.size, seats.length]
}

/** Texts whose contrast with what is behind them is below 4.5 to 1. */
export function lowContrast() {
  const numbers = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number)
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = (element) => {
    if (!element) return [255, 255, 255]
    const colour = numbers(getComputedStyle(element).backgroundColor)
    return colour.length === 3 || colour[3] === 1 ? colour : behind(element.parentElement)
  }
  const found = []
  for (const element of document.querySelectorAll('p, a, h1, h2, h3, dt, dd, span, button, label, strong, li')) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '')
    if (!hasText || element.closest('[disabled], .skip, .visually-hidden')) continue
    const ink = light(numbers(getComputedStyle(element).color).slice(0, 3))
    const ground = light(behind(element).slice(0, 3))
    const ratio = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05)
    if (ratio < 4.5) found.push(`${element.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`)
  }
  return found
}
