/** One metric with all its samples, as it is written. */
export interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary'
  readonly help: string
  /** By the rest of its name (`''`, `_bucket`, `_sum`), its labels, and the value. */
  readonly samples: (readonly [suffix: string, labels: Readonly<Record<string, string>>, value: number])[]
}

/** Metrics by name, in the order in which they came, as Prometheus reads them: text exposition 0.0.4. */
export class Exposition {
  readonly #families = new Map<string, Family>()

  family(name: string, type: Family['type'], help: string): Family {
    const known = this.#families.get(name)
    if (known !== undefined) return known
    const family: Family = { type, help, samples: [] }
    this.#families.set(name, family)
    return family
  }

  toString(): string {
    let text = ''
    for (const [name, { type, help, samples }] of this.#families) {
      if (samples.length === 0) continue
      text += `# HELP ${name} ${help.replace(/[\\\n]/g, escaped)}\n# TYPE ${name} ${type}\n`
      for (const [suffix, labels, value] of samples)
        text += `${name}${suffix}${showLabels(labels)} ${showValue(value)}\n`
    }
    return text
  }
}

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

function showLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value.replace(/[\\\n"]/g, escaped)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const escaped = (char: string): string => (char === '\n' ? '\\n' : `\\${char}`)

function showValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}
