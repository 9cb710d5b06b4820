import { makeScannedName } from '../wire/index.ts'
import { buildZones, type Room } from './build-image.ts'
import type { OwnerAfter } from './change-owners.ts'
import { addZone, editOwners, removeZone, type Draft } from './contents-edit.ts'
import { openZoneImage, type SharedZones, type ZoneImage } from './image.ts'
import { makeOverlay, publishOverlay } from './overlay.ts'
import type { ZoneSource } from './zone-source.ts'

/** What is to become of one zone. */
export type ZoneEdit =
  | { readonly kind: 'owners'; readonly origin: Uint8Array; readonly owners: ReadonlyMap<string, OwnerAfter> }
  | { readonly kind: 'new'; readonly source: ZoneSource }
  | { readonly kind: 'gone'; readonly origin: Uint8Array }

/**
 * The contents of all zones: an image in service, and what it takes to change it. What was put in service never changes: an
 * edit makes a new version, which shares most of its memory with the one before.
 */
export interface Contents {
  /** What was put in service last, for this thread and for others. */
  image: ZoneImage
  shared: SharedZones
  /**
   * Makes the next version. False: it cannot be made in this way, because the room for changes is used up, or because one
   * zone lies within another and hides some of it. Then `image` and `shared` stay, and the contents are to be built anew.
   */
  edit(edits: readonly ZoneEdit[]): boolean
}

/** Lays zones out anew. @param spare room for changes beside what is kept anyway */
export function buildContents(sources: readonly ZoneSource[], spare?: Readonly<Room>): Contents {
  const built = buildZones(sources, spare)
  const first = openZoneImage(built.shared)
  const overlay = makeOverlay(first, built.limit.nodes)
  const draft: Draft = {
    built, overlay, name: makeScannedName(), other: makeScannedName(), homes: new Map(), published: first.nodeCount,
    used: { ...built.used }, origins: new Map(sources.map(({ origin }) => [Buffer.from(origin).toString('latin1').toLowerCase(), origin]))
  }
  let isSpent = false
  const contents: Contents = {
    image: first,
    shared: built.shared,
    edit: (edits) => {
      isSpent ||= !edits.every((edit) => editZone(draft, edit))
      if (isSpent) return false
      const over = publishOverlay(overlay)
      contents.shared = { base: built.shared.base, overlay: over, build: built.shared.build, byteLength: built.shared.byteLength + over.byteLength }
      contents.image = openZoneImage(contents.shared)
      draft.published = contents.image.nodeCount
      return true
    }
  }
  return contents
}

function editZone(draft: Draft, edit: ZoneEdit): boolean {
  switch (edit.kind) {
    case 'owners': return editOwners(draft, edit.origin, edit.owners.values())
    case 'new': return addZone(draft, edit.source)
    case 'gone': return removeZone(draft, edit.origin)
  }
}
