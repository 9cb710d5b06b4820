// What newer versions of the suite ask beyond the one that is published as a package, in our own words and under its names: targeted
// cache control, must-understand, stale-while-revalidate, errors that nothing stale may stand in for, and ages beyond 31 bits. Its interim responses are
// in test/edge/upgrade.test.ts, since the player of the older one knows none.

type Field = readonly [name: string, value: string | number, isShown?: boolean]

interface Step {
  readonly response_headers?: readonly Field[]
  readonly expected_type?: 'cached' | 'not_cached'
  readonly expected_response_headers?: readonly (readonly [string, string | number])[]
  readonly expected_response_headers_missing?: readonly string[]
  readonly expected_status?: number
  readonly check_body?: boolean
  readonly disconnect?: boolean
  readonly setup?: boolean
  readonly pause_after?: boolean
}

interface Definition {
  readonly id: string
  readonly name: string
  readonly kind: 'required' | 'optimal'
  readonly requests: readonly Step[]
}

/** Fields that are not looked for in the answer. */
const cdn = (value: string): Field => ['CDN-Cache-Control', value, false]
const cache = (value: string): Field => ['Cache-Control', value]

/** One answer, and whether it is used again after three seconds. */
const twice = (id: string, kind: Definition['kind'], expected: 'cached' | 'not_cached', fields: readonly Field[]): Definition => ({
  id,
  name: id,
  kind,
  requests: [{ response_headers: fields, setup: true, pause_after: true }, { expected_type: expected }]
})

/** The origin hangs up when it is asked again: nothing that it has said may stand in. */
const hangingUp = (directive: string): Definition => ({
  id: `newer-stale-close-${directive}`,
  name: `nothing stale where ${directive} forbids it`,
  kind: 'required',
  requests: [
    { response_headers: [cache(`max-age=2, ${directive}`)], setup: true, pause_after: true },
    { disconnect: true, expected_status: 502, check_body: false, expected_response_headers_missing: ['server-request-count'] }
  ]
})

/** A fresh answer stays in use where a later one, which nobody has asked for, would forbid to be held. */
const keptBeside = (id: string, later: string): Definition => ({
  id,
  name: id,
  kind: 'required',
  requests: [
    { response_headers: [cache('max-age=10000'), ['Expires', 10_000], ['Date', 0], ['X-Of', 'first']], setup: true, pause_after: true },
    { response_headers: [cache(later), ['Date', 0], ['X-Of', 'second']], setup: true, pause_after: true },
    { expected_type: 'cached', expected_response_headers: [['x-of', 'first']] }
  ]
})

/** An Age at the edge of what 32 bits can say. */
const aged = (id: string, age: string): Definition => twice(id, 'required', 'not_cached', [['Date', 0], cache('max-age=3600'), ['Age', age, false]])

const tests: readonly Definition[] = [
  aged('age-parse-large-minus-one', '2147483647'),
  aged('age-parse-large', '2147483648'),
  aged('age-parse-larger', '2147483649'),
  keptBeside('cc-resp-no-store-old-new', 'no-store'),
  keptBeside('cc-resp-no-store-old-max-age', 'no-store, max-age=0'),
  twice('freshness-max-age-stale', 'optimal', 'not_cached', [cache('max-age=2'), ['Date', 0]]),
  {
    id: 'other-date-update-expires',
    name: 'Date stays what it was where Expires says how long',
    kind: 'required',
    requests: [
      { response_headers: [['Expires', 2_592_000], ['Date', 0]], setup: true, pause_after: true },
      { expected_type: 'cached', expected_response_headers: [['Date', 0]] }
    ]
  },
  twice('cdn-max-age', 'optimal', 'cached', [cdn('max-age=3600')]),
  twice('cdn-max-age-max', 'optimal', 'cached', [cdn('max-age=2147483648')]),
  twice('cdn-max-age-max-plus', 'optimal', 'cached', [cdn('max-age=99999999999')]),
  twice('cdn-max-age-extension', 'optimal', 'cached', [cdn('other, max-age=3600')]),
  twice('cdn-max-age-expires', 'optimal', 'cached', [cdn('max-age=3600'), ['Expires', -10_000], ['Date', 0]]),
  twice('cdn-max-age-cc-max-age-invalid-expires', 'optimal', 'cached', [cdn('max-age=3600'), ['Expires', '0', false], ['Date', 0]]),
  twice('cdn-max-age-short-cc-max-age', 'optimal', 'cached', [cache('max-age=1'), cdn('max-age=3600')]),
  twice('cdn-max-age-age', 'required', 'not_cached', [cdn('max-age=3600'), ['Date', 0], ['Age', '7200']]),
  twice('cdn-max-age-0', 'required', 'not_cached', [cdn('max-age=0')]),
  twice('cdn-max-age-0-expires', 'required', 'not_cached', [cdn('max-age=0'), ['Expires', 10_000], ['Date', 0]]),
  twice('cdn-max-age-long-cc-max-age', 'required', 'not_cached', [cache('max-age=3600'), cdn('max-age=1')]),
  twice('cdn-private', 'required', 'not_cached', [cdn('private'), cache('max-age=10000'), ['Expires', 10_000], ['Date', 0]]),
  twice('cdn-no-cache', 'required', 'not_cached', [cdn('no-cache'), cache('max-age=10000'), ['Expires', 10_000], ['Date', 0]]),
  twice('cdn-no-store-cc-fresh', 'required', 'not_cached', [cdn('no-store'), cache('max-age=10000'), ['Expires', 10_000], ['Date', 0]]),
  twice('cdn-fresh-cc-nostore', 'required', 'cached', [cache('no-store'), cdn('max-age=10000')]),
  twice('cdn-cc-invalid-sh-type-unknown', 'required', 'not_cached', [cdn('max-age=10000, &&&&&'), cache('no-store')]),
  twice('cdn-cc-invalid-sh-type-wrong', 'required', 'not_cached', [cdn('max-age="10000"'), cache('no-store')]),
  twice('status-200-must-understand', 'optimal', 'cached', [cache('max-age=3600, no-store, must-understand')]),
  twice('stale-while-revalidate', 'optimal', 'cached', [cache('max-age=1, stale-while-revalidate=3600'), ['ETag', '"abc"']]),
  {
    id: 'stale-while-revalidate-window',
    name: 'nothing stale once the while is over',
    kind: 'required',
    requests: [
      { response_headers: [cache('max-age=1, stale-while-revalidate=4'), ['ETag', '"abc"']], setup: true, pause_after: true },
      { response_headers: [['Cache-Control', 'no-cache', false], ['ETag', '"def"', false]], expected_type: 'cached', setup: true, pause_after: true },
      { expected_response_headers: [['client-request-count', '3']] }
    ]
  },
  ...['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage=2'].map(hangingUp)
]

export const newer = { name: 'Newer', id: 'newer', tests }
