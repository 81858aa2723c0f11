import type { SessionInfo } from 'holdfast/session'
import { moment } from './format.ts'
import { Layout } from './layout.tsx'

export interface AccountPageProps {
  readonly email: string
  readonly devices: readonly SessionInfo[]
  /** The session that asks. */
  readonly here: string | undefined
}

export const AccountPage = ({ email, devices, here }: AccountPageProps) => (
  <Layout title="Your account" here="account">
    <section class="hero">
      <h1>Your account</h1>
      <p class="lede">
        You are logged in as <strong data-email>{email}</strong>.
      </p>
      <div class="actions account-actions">
        <a class="button" href="/orders">
          My orders
        </a>
        <form action="/logout" method="post">
          <button class="button quiet" type="submit">
            Log out
          </button>
        </form>
      </div>
    </section>
    <section class="devices" aria-labelledby="devices">
      <h2 id="devices">Your devices</h2>
      <p class="muted">Where somebody is logged in as you. One that you log out is out at its next click.</p>
      <ul class="device-list">
        {devices.map((device) => (
          <Device device={device} isHere={device.ref === here} />
        ))}
      </ul>
      {devices.length < 2 ? (
        ''
      ) : (
        <form action="/account/devices/others/end" method="post">
          <button class="button" type="submit">
            Log out all other devices
          </button>
        </form>
      )}
    </section>
  </Layout>
)

const Device = ({ device, isHere }: { device: SessionInfo; isHere: boolean }) => {
  const name = device.label || 'Unknown device'
  return (
    <li data-device={isHere ? 'here' : 'other'}>
      <div>
        <h3>
          {name} {isHere ? <span class="tag here">This device</span> : ''}
        </h3>
        <p class="muted">
          <span>Logged in {moment(new Date(device.createdAtMs))}</span>
          {isHere ? '' : <span>Last used {moment(new Date(device.lastSeenMs))}</span>}
        </p>
      </div>
      {isHere ? (
        ''
      ) : (
        <form action={`/account/devices/${device.ref}/end`} method="post">
          <button class="button quiet" type="submit" aria-label={`Log out ${name}`}>
            Log out
          </button>
        </form>
      )}
    </li>
  )
}
