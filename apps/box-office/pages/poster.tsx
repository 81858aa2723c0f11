/**
 * A small abstract poster for every programme, drawn from its id: the same id always gives the same picture.
 * Presentation attributes only, so that the strictest content policy has nothing against it.
 */

const PALETTES = [
  ['#16302b', '#e4a14b', '#f3e9d7', '#c4472f'],
  ['#1f2440', '#e9c46a', '#e76f51', '#f4efe6'],
  ['#3c1f2f', '#e5989b', '#ffcdb2', '#b5838d'],
  ['#0f3d4c', '#8ecae6', '#ffb703', '#fefae0'],
  ['#2b2d42', '#ef8354', '#bfc0c0', '#f7f3ee'],
  ['#24382b', '#a3b18a', '#dad7cd', '#d08c60'],
  ['#4a1d1f', '#f2cc8f', '#e07a5f', '#f4f1de'],
  ['#1b2a41', '#ccc9dc', '#d64550', '#f1e3d3'],
] as const

export const Poster = ({ of, class: name }: { of: string; class?: string }) => {
  const next = numbers(of)
  const palette = PALETTES[next(PALETTES.length)] ?? PALETTES[0]
  const [ground, first, second, third] = palette
  const draw = [moon, arches, bars, dots, waves, fan][next(6)] ?? moon
  return (
    <svg class={name} viewBox="0 0 120 120" preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false">
      <rect width="120" height="120" fill={ground} />
      {draw(next, [first, second, third])}
    </svg>
  )
}

type Next = (below: number) => number
type Inks = readonly [string, string, string]

const moon = (next: Next, [a, b, c]: Inks) => {
  const x = 34 + next(52)
  return (
    <>
      <circle cx={x} cy={52 + next(14)} r={30 + next(8)} fill={a} />
      <rect y={84 + next(8)} width="120" height="40" fill={b} />
      <circle cx={120 - x} cy={22 + next(14)} r={4 + next(4)} fill={c} />
    </>
  )
}

const arches = (next: Next, inks: Inks) => {
  const x = 30 + next(60)
  return (
    <>
      {[58, 46, 34, 22, 10].map((r, index) => (
        <path
          d={`M ${x - r} 120 V 74 A ${r} ${r} 0 0 1 ${x + r} 74 V 120 Z`}
          fill={inks[(index + next(2)) % 3]}
          fill-opacity={index % 2 === 0 ? '1' : '0.85'}
        />
      ))}
    </>
  )
}

const bars = (next: Next, inks: Inks) => (
  <>
    {[0, 1, 2, 3, 4, 5, 6].map((index) => {
      const height = 24 + next(84)
      return <rect x={8 + index * 15} y={120 - height} width="11" height={height} fill={inks[index % 3]} rx="5.5" />
    })}
  </>
)

const dots = (next: Next, [a, b, c]: Inks) => {
  const shift = next(3)
  return (
    <>
      {[0, 1, 2, 3, 4].flatMap((row) =>
        [0, 1, 2, 3, 4].map((column) => {
          const ink = next(5) === 0 ? b : next(7) === 0 ? c : a
          return (
            <circle cx={16 + column * 22} cy={16 + row * 22} r={4 + ((row + column + shift) % 3) * 2.6} fill={ink} />
          )
        }),
      )}
    </>
  )
}

const waves = (next: Next, inks: Inks) => {
  const lift = 8 + next(16)
  return (
    <>
      <circle cx={24 + next(72)} cy="30" r={12 + next(8)} fill={inks[2]} />
      {[0, 1, 2, 3, 4].map((index) => {
        const y = 48 + index * 16
        return (
          <path
            d={`M -10 ${y} q 17.5 ${-lift} 35 0 t 35 0 t 35 0 t 35 0 V 130 H -10 Z`}
            fill={inks[index % 2]}
            fill-opacity={String(1 - index * 0.12)}
          />
        )
      })}
    </>
  )
}

const fan = (next: Next, inks: Inks) => {
  const x = next(2) === 0 ? 0 : 120
  const parts = 9
  return (
    <>
      {Array.from({ length: parts }, (_, index) => {
        const from = (index / parts) * (Math.PI / 2)
        const to = ((index + 1) / parts) * (Math.PI / 2)
        const point = (angle: number) => {
          const along = 170 * Math.cos(angle)
          return `${Math.round(x === 0 ? along : 120 - along)} ${Math.round(120 - 170 * Math.sin(angle))}`
        }
        return <path d={`M ${x} 120 L ${point(from)} L ${point(to)} Z`} fill={inks[index % 3]} />
      })}
      <circle cx={x} cy="120" r={22 + next(10)} fill={inks[1]} />
    </>
  )
}

/** A row of numbers that only the text decides (xorshift, seeded by FNV-1a). */
function numbers(text: string): Next {
  let state = 2_166_136_261
  for (const letter of text) state = Math.imul(state ^ letter.charCodeAt(0), 16_777_619)
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}
