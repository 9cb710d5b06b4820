import type { Refusal } from './request.ts'

/** The answer that says why a request is not taken: its head and its body. */
export function refusalText({ status, reason }: Refusal): [string, Buffer] {
  const body = Buffer.from(`${status}: ${reason}\n`)
  return [`HTTP/1.1 ${status} ${REASONS[status]}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n`, body]
}

const REASONS: Record<Refusal['status'], string> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  505: 'HTTP Version Not Supported'
}
