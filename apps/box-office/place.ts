import { fileURLToPath } from 'node:url'

/** A file of the application, such as 'data/venues.json': beside this one, in the sources and where they are built to. */
export function fileOf(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}
