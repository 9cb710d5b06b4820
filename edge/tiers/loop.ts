import { listMembers } from '../message/index.ts'

// RFC 8586. Each member of the fleet is a CDN node of its own here: on a normal way a request passes several of them.

/** Whether a request has passed this node before. */
export function hasPassed(cdnLoop: string | undefined, node: string): boolean {
  if (cdnLoop === undefined) return false
  return listMembers(cdnLoop).some((member) => member.split(';')[0]!.trim().toLowerCase() === node)
}

/** The field with this node added. */
export const withNode = (cdnLoop: string | undefined, node: string): string => (cdnLoop === undefined ? node : `${cdnLoop}, ${node}`)
