// Compiled, never run: what a user writes, and mistakes that must not compile.
import {
  checkIn, createClient, createQueue, each, editActivity, exportMySignupsXlsx, getMe, isRefused, listActivities, listMyPointEntries,
  logOut, redeem, saveVia, tokensIn, updateMe, uploadAttachment, uploadsViaWx, viaWx, wxStorage, getPickListHtml, getActivity,
  type Result,
} from '@qingxiang/client'

// The types of WeChat itself fit.
const storage = wxStorage(wx)
const api = createClient({
  baseUrl: 'https://example.org', transport: viaWx(wx), upload: uploadsViaWx(wx), tokens: tokensIn(storage),
})

export async function right(): Promise<void> {
  const me = await getMe(api)
  const name: string | null = me.display_name
  const { award } = await checkIn(api, { body: { code: 'x' }, header: { 'x-device-token': 'y' } })
  const points: number | undefined = award?.points
  await listActivities(api)
  await listActivities(api, { query: { category: 'volunteer_service', limit: 5 } })
  await getActivity(api, { path: { activity_id: 'x' } })
  for await (const entry of each(api, listMyPointEntries, { query: { limit: 100 } })) entry.direction.toUpperCase()
  const file = await exportMySignupsXlsx(api)
  await saveVia(wx, file)
  const page: Result<'getPickListHtml'> = 'text'
  const nothing: undefined = await logOut(api, { body: { refresh_token: 'x' } })
  await uploadAttachment(api, { body: { subject_type: 'person', subject_id: 'x', file: { path: 'x' } }, key: 'k' })
  const queue = createQueue(api, { storage, owner: me.id })
  queue.add(redeem, { body: { reward_id: 'x' } })
}

export function refusals(error: unknown): number | string {
  if (!isRefused(error, redeem)) return 0
  switch (error.code) {
    case 'points.insufficient': return error.facts.available ?? 0
    case 'rewards.not_offered': return error.facts.opens_at ?? ''
    // @ts-expect-error redeem has no such code
    case 'checkins.code_expired': return 0
    case 'rewards.limit_reached':
      // @ts-expect-error this code has no such fact
      return error.facts.distance_m ?? 0
    default: return error.message
  }
}

export async function wrong(): Promise<void> {
  // @ts-expect-error a body is needed
  await checkIn(api)
  // @ts-expect-error a field is missing
  await checkIn(api, { body: {} })
  // @ts-expect-error not a category
  await listActivities(api, { query: { category: 'volunteering' } })
  // @ts-expect-error not a parameter
  await listActivities(api, { query: { organisation: 'x' } })
  // @ts-expect-error a path is needed
  await getActivity(api, {})
  // @ts-expect-error the version that was read is needed
  await editActivity(api, { path: { activity_id: 'x' }, body: { title: 'x' } as never })
  // @ts-expect-error no key
  await updateMe(api, { body: {} as never, key: 'k' })
  const queue = createQueue(api, { storage, owner: 'x' })
  // @ts-expect-error without a key it cannot wait
  queue.add(checkIn, { body: { code: 'x' } })
  // @ts-expect-error a path of a file does not survive a restart
  queue.add(uploadAttachment, { body: { subject_type: 'person', subject_id: 'x', file: { path: 'x' } } })
  // @ts-expect-error not a field of a person
  const me: { phone: string } = await getMe(api)
}
