import { ConfigError } from '../base/errors.ts'

/** Settings of a private server, as its config file writes them. */
export interface ServerSettings {
  readonly port: number
  readonly socketPath: string | undefined
  readonly dataDir: string
  readonly appendOnly: boolean
  readonly password: string | undefined
  readonly users: Readonly<Record<string, string>>
  /** Lines of the config file, word by word: for what may stand there several times. */
  readonly directives: readonly Directive[]
  readonly config: Readonly<Record<string, string | number>>
}

export type Directive = readonly (string | number)[]

/** The text of the config file. Settings of `config` come last and win. */
export function writeConfig(settings: ServerSettings): string {
  const { port, socketPath, dataDir, appendOnly, password, users, directives, config } = settings
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    ...(socketPath === undefined ? [] : [`unixsocket ${quote(socketPath)}`, 'unixsocketperm 700']),
    `dir ${quote(dataDir)}`,
    'daemonize no',
    'save ""',
    `appendonly ${appendOnly ? 'yes' : 'no'}`,
    ...(password === undefined ? [] : [`requirepass ${quote(password)}`]),
    ...Object.entries(users).map(([name, rules]) => `user ${oneLine(`users.${name}`, `${name} ${rules}`)}`),
    ...directives.map((words) => words.map((word) => quote(String(word))).join(' ')),
    ...Object.entries(config).map(([name, value]) => `${name} ${oneLine(`config.${name}`, String(value)) || '""'}`),
  ]
  return `${lines.join('\n')}\n`
}

function quote(text: string): string {
  const bytes = [...Buffer.from(text)].map((byte) =>
    byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c
      ? `\\x${byte.toString(16).padStart(2, '0')}`
      : String.fromCharCode(byte),
  )
  return `"${bytes.join('')}"`
}

function oneLine(option: string, text: string): string {
  if (/[\r\n]/.test(text)) throw new ConfigError(option, 'text on one line', text)
  return text.trim()
}
