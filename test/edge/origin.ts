import { createServer, request as sendRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How an origin answers a path; fields by name. */
export interface Answer {
  readonly status: number
  readonly fields: readonly (readonly [string, string])[]
  readonly body: string
  /** Answers 304 to a request with this If-None-Match. */
  readonly etag?: string | undefined
  /** Sends no length. */
  readonly chunked?: boolean
  /** Cuts the connection after so many octets of the body. */
  readonly breakAfter?: number | undefined
  /** Waits for this before it answers. */
  readonly gate?: Promise<void>
}

export interface Origin {
  readonly port: number
  readonly answers: Map<string, Answer>
  /** What was asked, in order, and the content that came with it. */
  readonly asked: IncomingMessage[]
  readonly contents: string[]
  /** From now on passes all requests on to another server on this machine. */
  relayTo(port: number): void
  close(): Promise<void>
}

/** An origin that answers by script; a path without one is 404. */
export async function startOrigin(address = '127.0.0.1', port = 0): Promise<Origin> {
  const answers = new Map<string, Answer>()
  const asked: IncomingMessage[] = []
  const contents: string[] = []
  let relay: number | undefined
  const server = createServer((request, response) => {
    if (relay !== undefined) {
      const onward = sendRequest({ host: '127.0.0.1', port: relay, method: request.method, path: request.url, headers: request.headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.rawHeaders)
        answer.pipe(response)
      })
      return void request.pipe(onward)
    }
    const number = asked.push(request) - 1
    contents.push('')
    request.setEncoding('latin1')
    request.on('data', (text: string) => (contents[number] += text))
    request.on('end', () => answerTo(request, response))
  })
  const answerTo = (request: IncomingMessage, response: ServerResponse): void => {
    const answer = answers.get(request.url!)
    if (answer === undefined) return void response.writeHead(404, { 'Content-Length': 0 }).end()
    if (answer.gate === undefined) return send(answer, request, response)
    answer.gate.then(
      () => send(answer, request, response),
      () => undefined
    )
  }
  await new Promise<void>((resolve) => server.listen(port, address, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    answers,
    asked,
    contents,
    relayTo: (port) => (relay = port),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

function send(answer: Answer, request: IncomingMessage, response: ServerResponse): void {
  response.sendDate = false
  for (const [name, value] of answer.fields) response.appendHeader(name, value)
  if (answer.etag !== undefined && request.headers['if-none-match'] === answer.etag) return void response.writeHead(304).end()
  const bodiless = answer.status === 204 || answer.status === 304
  if (answer.chunked !== true && !bodiless) response.setHeader('Content-Length', answer.body.length)
  response.writeHead(answer.status)
  if (answer.breakAfter === undefined) return void response.end(bodiless ? undefined : answer.body, 'latin1')
  response.write(answer.body.slice(0, answer.breakAfter), 'latin1', () => setTimeout(() => response.destroy(), 20))
}
