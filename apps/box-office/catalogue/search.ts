/** What a search looks in, and what it looks for: plain lower case, so that 'colon' finds Teatro Colón. */

export interface Searchable {
  readonly artist: string
  readonly title: string
  readonly genre: string
  readonly venue: { readonly name: string; readonly city: string; readonly country: string }
}

export function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
}

export function searchTextOf({ artist, title, genre, venue }: Searchable): string {
  return plain([artist, title, genre, venue.name, venue.city, venue.country].join(' '))
}

/** The words of a search as patterns of `like`, each to be found somewhere. */
export function patternsOf(query: string): string[] {
  const words = plain(query)
    .split(/\s+/)
    .filter((word) => word !== '')
  return words.map((word) => `%${word.replace(/[\\%_]/g, '\\$&')}%`)
}
