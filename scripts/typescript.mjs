/**
 * Lets plain Node run the sources: `node --import ./scripts/typescript.mjs some/file.ts`.
 * For tests that need processes of their own; `holdfast` and its entries are the sources there, as in Vitest.
 */
import { register } from 'node:module'

register('./typescript-hooks.mjs', import.meta.url)
