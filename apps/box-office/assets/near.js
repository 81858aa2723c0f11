// Venues near you: the page of the answer is asked for as the form would ask, and its list is put below ours. The position is asked for when
// the button is pressed, and rounded to a kilometre before it leaves the browser. Without this script the form works as it is.

const form = document.querySelector('[data-near]')

if (form) start()

function start() {
  const me = form.querySelector('[data-near-me]')

  async function show(address) {
    const results = document.querySelector('[data-near-results]')
    results.setAttribute('aria-busy', 'true')
    try {
      const answer = await fetch(address)
      if (!answer.ok) throw new Error(String(answer.status))
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
      const fresh = page.querySelector('[data-near-results]')
      if (!fresh) throw new Error('no results')
      results.replaceWith(document.adoptNode(fresh))
    } catch {
      location.assign(address)
    }
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    show(`/near?${new URLSearchParams(new FormData(form))}`)
  })

  if (!navigator.geolocation) return
  me.hidden = false
  me.addEventListener('click', () => {
    me.disabled = true
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        me.disabled = false
        show(`/near?lat=${coords.latitude.toFixed(2)}&lon=${coords.longitude.toFixed(2)}`)
      },
      () => {
        me.disabled = false
        me.textContent = 'Your position is not known: choose a city'
      },
      { maximumAge: 600_000, timeout: 10_000 },
    )
  })
}
