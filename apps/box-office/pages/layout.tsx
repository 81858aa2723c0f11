import type { Child } from 'hono/jsx'

export interface LayoutProps {
  readonly title: string
  readonly here?: 'browse' | 'venues' | 'orders' | 'status' | 'account'
  readonly children: Child
}

export const Layout = ({ title, here, children }: LayoutProps) => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>{`${title} · Box Office`}</title>
      <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
      <link rel="stylesheet" href="/assets/style.css" />
      <script type="module" src="/assets/client.js" />
      <script type="module" src="/assets/search.js" />
      <script type="module" src="/assets/near.js" />
    </head>
    <body>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="masthead">
        <div class="wrap masthead-row">
          <a class="wordmark" href="/">
            <svg viewBox="0 0 28 20" aria-hidden="true" focusable="false">
              <path
                d="M2 2h24v5a3 3 0 0 0 0 6v5H2v-5a3 3 0 0 0 0-6z"
                fill="none"
                stroke="currentColor"
                stroke-width="2"
                stroke-linejoin="round"
              />
              <path d="M18 4v12" stroke="currentColor" stroke-width="2" stroke-dasharray="2 2.6" />
            </svg>
            Box Office
          </a>
          <nav aria-label="Main">
            <Tab href="/" label="Events" current={here === 'browse'} />
            <Tab href="/venues" label="Venues" current={here === 'venues'} />
            <Tab href="/orders" label="My orders" current={here === 'orders'} />
            <Tab href="/status" label="Status" current={here === 'status'} />
          </nav>
          <AccountLink current={here === 'account'} />
        </div>
      </header>
      <main id="main" class="wrap">
        {children}
      </main>
      <footer class="wrap foot">
        <p>
          Real venues, invented artists, test cards only. A demonstration of <strong>Holdfast</strong>: nothing here is
          for sale, and no venue has anything to do with it.
        </p>
      </footer>
    </body>
  </html>
)

/** The same for everybody: pages with this head are kept for all. Who is not logged in is led to where one logs in. */
const AccountLink = ({ current }: { current: boolean }) => (
  <a class="account" href="/account" {...(current ? { 'aria-current': 'page' } : {})}>
    <svg viewBox="0 0 20 20" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="1.6">
      <circle cx="10" cy="6.5" r="3.5" />
      <path d="M3 17.5c.6-3.6 3.4-5.5 7-5.5s6.4 1.9 7 5.5" stroke-linecap="round" />
    </svg>
    Account
  </a>
)

const Tab = ({ href, label, current }: { href: string; label: string; current: boolean }) => (
  <a href={href} {...(current ? { 'aria-current': 'page' } : {})}>
    {label}
  </a>
)

export const ErrorPage = ({ title, message, back }: { title: string; message: string; back?: string }) => (
  <Layout title={title}>
    <section class="notice">
      <h1>{title}</h1>
      <p>{message}</p>
      <p>
        <a class="button" href={back ?? '/'}>
          {back === undefined ? 'See all events' : 'Back to the seats'}
        </a>
      </p>
    </section>
  </Layout>
)
