// Search as you type: the page of the answer is asked for as a form would ask, and its list is put in the place of ours.
// Without this script the form works as it is.

const form = document.querySelector('[data-search]')
const WAIT_MS = 180

if (form) start(form)

function start(search) {
  let waiting
  let asked = new AbortController()

  function addressOf() {
    const said = [...new FormData(search)].filter(([, value]) => value !== '')
    const query = new URLSearchParams(said).toString()
    return query === '' ? '/' : `/?${query}`
  }

  async function ask(address, keep) {
    clearTimeout(waiting)
    asked.abort()
    asked = new AbortController()
    const { signal } = asked
    const results = document.querySelector('[data-results]')
    results.setAttribute('aria-busy', 'true')
    try {
      const answer = await fetch(address, { signal })
      if (!answer.ok) throw new Error(String(answer.status))
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
      if (signal.aborted) return
      const fresh = page.querySelector('[data-results]')
      if (!fresh) throw new Error('no results')
      results.replaceWith(document.adoptNode(fresh))
      if (keep) history.replaceState(null, '', address)
    } catch {
      // What was typed since asks anew; anything else is asked for as a form asks.
      if (!signal.aborted) location.assign(address)
    }
  }

  search.addEventListener('input', (event) => {
    clearTimeout(waiting)
    asked.abort()
    const delay = event.target.type === 'search' ? WAIT_MS : 0
    waiting = setTimeout(() => ask(addressOf(), true), delay)
  })
  search.addEventListener('submit', (event) => {
    event.preventDefault()
    ask(addressOf(), true)
  })
}
