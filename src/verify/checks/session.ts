import { type Check, expectEqual, timed } from '../stage.ts'

interface Fields {
  readonly role: string
  readonly cart: number
  readonly seen?: number
}

export const session: Check = {
  id: 'session',
  title: 'Sessions',
  promise: 'parallel changes merge field by field, a new id ends the old one, and ended is ended',
  async run({ hf, rival, name, step }) {
    const [near, far] = [hf.sessions<Fields>({ name }), rival.sessions<Fields>({ name })]
    const user = `user of ${name}`
    const { id } = await near.create({ role: 'user', cart: 0 }, { userId: user, label: 'Firefox' })
    await step('created')
    await Promise.all([near.update(id, { cart: 3 }), far.update(id, { seen: 1 })])
    expectEqual('the data after two changes at once', (await far.load(id))?.data, { role: 'user', cart: 3, seen: 1 })
    const labels = (await far.listFor(user)).map(({ label }) => label)
    expectEqual('the sessions of its user', labels, ['Firefox'])
    const loaded = await timed('load', 20, () => far.load(id))
    const next = await near.regenerate(id, { userId: user, data: { role: 'admin' } })
    expectEqual('what the old id opens after a login', await far.load(id), undefined)
    expectEqual('what the new id opens', (await far.load(next?.id))?.data.role, 'admin')
    expectEqual('how many sessions of the user were ended', await far.revokeAll(user), 1)
    expectEqual('a late change of an ended session', await near.update(next?.id, { cart: 9 }), undefined)
    expectEqual('what an ended session opens', await far.load(next?.id), undefined)
    return loaded
  },
}
