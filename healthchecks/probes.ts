import type { Probe } from './probe.ts'
import { probeDns, type DnsSpec } from './probe-dns.ts'
import { probeExec, type ExecSpec } from './probe-exec.ts'
import { probeGrpc, type GrpcSpec } from './probe-grpc.ts'
import { probeHttp, type HttpSpec } from './probe-http.ts'
import { probeMetrics, type MetricsSpec } from './probe-metrics.ts'
import { probeTcp, type TcpSpec } from './probe-tcp.ts'

/** What is asked of a target. Plain data: the same data, the same probe. */
export type ProbeSpec = HttpSpec | TcpSpec | DnsSpec | GrpcSpec | ExecSpec | MetricsSpec

/** Every kind of probe. A new one is its file, its row here, its row in `planProbe` and its keys in nearcast.yaml. */
const probes: { readonly [Kind in ProbeSpec['kind']]: Probe<Extract<ProbeSpec, { kind: Kind }>> } = {
  http: probeHttp,
  tcp: probeTcp,
  dns: probeDns,
  grpc: probeGrpc,
  exec: probeExec,
  metrics: probeMetrics
}

/** Asks a target what its kind of probe asks. */
export const probe: Probe<ProbeSpec> = (spec, options) => (probes[spec.kind] as Probe<ProbeSpec>)(spec, options)
