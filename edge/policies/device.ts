/** Classes of devices that a key may tell apart. */
export type Device = 'desktop' | 'mobile' | 'tablet' | 'tv'

/** The first that fits decides: a television may call itself Android, and a tablet says no `Mobile` there. */
const SIGNS: readonly (readonly [RegExp, Device])[] = [
  [/smart-?tv|smarttv|googletv|android tv|appletv|hbbtv|netcast/i, 'tv'],
  [/web0s|webos.*tv|tizen.*tv|viera|bravia|roku|crkey|aft[a-z]{1,4} build/i, 'tv'],
  [/playstation|xbox|nintendo/i, 'tv'],
  [/ipad/i, 'tablet'],
  [/android(?!.*mobile)/i, 'tablet'],
  [/tablet|kindle|silk(?!.*mobile)|playbook/i, 'tablet'],
  [/iphone|ipod/i, 'mobile'],
  [/android.*mobile|windows phone|iemobile/i, 'mobile'],
  [/blackberry|bb10|opera m(?:ini|obi)|mobile safari/i, 'mobile'],
  [/mobile|phone/i, 'mobile']
]

/** Longer ones are no browser's: what stands further on is not looked at. */
const LONGEST = 512

/** The class of the device that a User-Agent field names; `desktop` where nothing tells. */
export function deviceOf(userAgent: string | undefined): Device {
  if (userAgent === undefined) return 'desktop'
  const text = userAgent.slice(0, LONGEST)
  return SIGNS.find(([sign]) => sign.test(text))?.[1] ?? 'desktop'
}
