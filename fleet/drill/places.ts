// Networks from which a drill's clients may ask: well-known ones of many countries, so that every edge finds somebody near it.

/** Client subnets as a resolver would send them, with the country that they are usually taken to be in. */
export const PLACES: readonly { readonly subnet: string; readonly country: string }[] = [
  { subnet: '168.126.63.0/24', country: 'KR' },
  { subnet: '202.12.27.0/24', country: 'JP' },
  { subnet: '193.0.6.0/24', country: 'NL' },
  { subnet: '194.25.0.0/24', country: 'DE' },
  { subnet: '8.8.8.0/24', country: 'US' },
  { subnet: '200.160.0.0/24', country: 'BR' },
  { subnet: '139.130.4.0/24', country: 'AU' },
  { subnet: '212.58.244.0/24', country: 'GB' },
  { subnet: '195.154.0.0/24', country: 'FR' },
  { subnet: '194.224.52.0/24', country: 'ES' },
  { subnet: '131.175.0.0/24', country: 'IT' },
  { subnet: '192.36.148.0/24', country: 'SE' },
  { subnet: '149.156.0.0/24', country: 'PL' },
  { subnet: '77.88.8.0/24', country: 'RU' },
  { subnet: '114.114.114.0/24', country: 'CN' },
  { subnet: '168.95.1.0/24', country: 'TW' },
  { subnet: '137.189.0.0/24', country: 'HK' },
  { subnet: '137.132.0.0/24', country: 'SG' },
  { subnet: '14.139.0.0/24', country: 'IN' },
  { subnet: '202.46.129.0/24', country: 'ID' },
  { subnet: '130.216.0.0/24', country: 'NZ' },
  { subnet: '196.25.1.0/24', country: 'ZA' },
  { subnet: '197.253.0.0/24', country: 'NG' },
  { subnet: '195.229.0.0/24', country: 'AE' },
  { subnet: '132.248.10.0/24', country: 'MX' },
  { subnet: '200.45.191.0/24', country: 'AR' },
  { subnet: '146.83.0.0/24', country: 'CL' },
  { subnet: '142.150.0.0/24', country: 'CA' },
  { subnet: '127.0.0.0/8', country: 'this machine' }
]
