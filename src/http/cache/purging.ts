/** Those of the same origin as `base`, absolute. */
export function sameOrigin(urls: readonly (string | undefined)[], base: string): Set<string> {
  const origin = URL.canParse(base) ? new URL(base).origin : undefined
  const found = new Set<string>([base])
  for (const url of urls) {
    if (url === undefined || !URL.canParse(url, base)) continue
    const whole = new URL(url, base)
    if (whole.origin === origin) found.add(whole.href)
  }
  return found
}
