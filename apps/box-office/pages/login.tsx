import { DEMONSTRATION_PASSWORD, type LoginProblem } from '../accounts/account.ts'
import { Layout } from './layout.tsx'

export interface LoginPageProps {
  /** Where he goes on afterwards, a path of this shop. */
  readonly next: string
  /** What was typed before; never the password. */
  readonly email?: string
  readonly problem?: LoginProblem | { readonly field?: undefined; readonly message: string }
}

export const LoginPage = ({ next, email = '', problem }: LoginPageProps) => (
  <Layout title="Log in" here="account">
    <section class="login">
      <h1>Log in</h1>
      <p class="lede">Your orders on every device. Buying works without it, too.</p>
      {problem === undefined ? (
        ''
      ) : (
        <p class="problem" role="alert" id="login-problem">
          {problem.message}
        </p>
      )}
      <form class="login-form" action="/login" method="post">
        <input type="hidden" name="next" value={next} />
        <Field name="email" label="E-mail address" type="email" complete="username" value={email} problem={problem} />
        <Field
          name="password"
          label="Password"
          type="password"
          complete="current-password"
          value=""
          problem={problem}
          hint
        />
        <p class="hint" id="password-hint">
          A demonstration: any address will do, nothing is sent to it, and the password of all is{' '}
          <code>{DEMONSTRATION_PASSWORD}</code>.
        </p>
        <button class="button primary wide" type="submit">
          Log in
        </button>
      </form>
    </section>
  </Layout>
)

interface FieldProps {
  readonly name: LoginProblem['field']
  readonly label: string
  readonly type: 'email' | 'password'
  readonly complete: string
  readonly value: string
  readonly problem: LoginPageProps['problem']
  readonly hint?: boolean
}

const Field = ({ name, label, type, complete, value, problem, hint }: FieldProps) => {
  const wrong = problem?.field === name
  const said = [...(hint ? ['password-hint'] : []), ...(wrong ? ['login-problem'] : [])].join(' ')
  return (
    <label class="field">
      <span>{label}</span>
      <input
        name={name}
        type={type}
        autocomplete={complete}
        value={value}
        maxlength={254}
        required
        {...(said === '' ? {} : { 'aria-describedby': said })}
        {...(wrong ? { 'aria-invalid': 'true', autofocus: true } : {})}
      />
    </label>
  )
}
