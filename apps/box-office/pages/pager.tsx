/** Links to the other pages of a list: the first, the last, and those around this one. */

export interface PagerProps {
  readonly page: number
  readonly pages: number
  readonly address: (page: number) => string
}

/** Pages that are linked on either side of this one. */
const AROUND = 1

export const Pager = ({ page, pages, address }: PagerProps) => {
  if (pages === 1) return null
  return (
    <nav class="pager" aria-label="Pages">
      <Step to={page - 1} last={pages} label="Previous" rel="prev" address={address} />
      <ol>
        {numbers(page, pages).map((number) => (
          <li>
            {number === undefined ? (
              <span class="gap">…</span>
            ) : (
              <a
                href={address(number)}
                aria-label={`Page ${number}`}
                {...(number === page ? { 'aria-current': 'page' } : {})}
              >
                {number.toLocaleString('en')}
              </a>
            )}
          </li>
        ))}
      </ol>
      <Step to={page + 1} last={pages} label="Next" rel="next" address={address} />
    </nav>
  )
}

interface StepProps extends Pick<PagerProps, 'address'> {
  readonly to: number
  readonly last: number
  readonly label: string
  readonly rel: string
}

const Step = ({ to, last, label, rel, address }: StepProps) =>
  to < 1 || to > last ? (
    <span class="step" aria-hidden="true" />
  ) : (
    <a class="step" href={address(to)} rel={rel}>
      {label}
    </a>
  )

/** 1 … 4 5 6 … 9; undefined is a gap. */
function numbers(page: number, pages: number): (number | undefined)[] {
  const shown = Array.from({ length: pages <= 7 ? pages : 0 }, (_, index) => index + 1)
  if (pages > 7)
    for (let number = 1; number <= pages; number = number === 1 ? Math.max(2, page - AROUND) : number + 1) {
      if (number > page + AROUND) number = pages
      shown.push(number)
    }
  return shown.flatMap((number, index) =>
    index > 0 && number - (shown[index - 1] ?? 0) > 1 ? [undefined, number] : [number],
  )
}

/** `path` with what is not empty as its query; the first page needs no number. */
export function addressOf(path: string, query: Readonly<Record<string, string>>): string {
  const said = Object.entries(query).filter(([name, value]) => value !== '' && !(name === 'page' && value === '1'))
  const text = new URLSearchParams(said).toString()
  return text === '' ? path : `${path}?${text}`
}
