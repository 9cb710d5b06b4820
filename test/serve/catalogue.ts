import type { ZoneStatus } from '../../daemon/control/api.ts'
import { openCatalogue, type Catalogue } from '../../daemon/control/loader-catalogue.ts'
import { sortedStatuses, takeReport, type CatalogueOptions, type LoadResult } from '../../daemon/control/loader-state.ts'

/** A catalogue that keeps its copies at once, and whose reports have all zones, as the main thread puts them together. */
export function openWhole(options: CatalogueOptions): Catalogue {
  const catalogue = openCatalogue(options)
  const zones = new Map<string, ZoneStatus>()
  const whole = <Result extends LoadResult | undefined>(result: Result): Result => {
    if (result === undefined) return result
    takeReport(zones, result.report)
    catalogue.flush()
    return { ...result, report: { ...result.report, zones: sortedStatuses(zones) } }
  }
  return {
    ...catalogue,
    load: (request) => whole(catalogue.load(request)),
    change: (...given) => {
      const { reply, result } = catalogue.change(...given)
      return result === undefined ? { reply } : { reply, result: whole(result) }
    },
    replace: (...given) => {
      const { reply, result } = catalogue.replace(...given)
      return result === undefined ? { reply } : { reply, result: whole(result) }
    },
    expire: (...given) => {
      const { reply, result } = catalogue.expire(...given)
      return result === undefined ? { reply } : { reply, result: whole(result) }
    }
  }
}
