/** For tests: names that would break a page, a log or a query that does not expect them. */

const NAMES = [
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `' onmouseover='alert(1)`,
  `{{7*7}} \${7*7} <%= 7*7 %>`,
  `'; drop table events; --`,
  `</title><h1>taken over</h1>`,
  `javascript:alert(1)`,
  `&lt;b&gt; &amp; &#x3c;`,
  `مساء الخير من القاهرة`,
  `Ｆｕｌｌ ｗｉｄｔｈ 東京 🎻👩‍👩‍👧`,
  `Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L`,
  `two\nlines\r\nand\ttabs`,
  `x`.repeat(120),
  `W `.repeat(60).trim(),
]

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`

/** One event for each name, which is its artist, its title, its genre and what it says of itself. */
export function hostileFile(): string {
  const lines = NAMES.map((name, i) => {
    const genre = [...name].slice(0, 40).join('')
    const venue = [name, 'Köln <b>', 'Germany', 'DE', '50.94', '6.96', '900', 'Europe/Berlin', 'EUR']
    return [name, name, `2031-02-${10 + i} 19:30`, genre, name, ...venue].map(quoted).join(',')
  })
  return `artist,title,starts,genre,about,venue,city,country,code,lat,lon,capacity,zone,currency\n${lines.join('\n')}\n`
}

export const HOSTILE_COUNT = NAMES.length
/** As pages show them. */
export const HOSTILE_NAMES = NAMES.map((name) => name.replace(/\s+/g, ' '))
