// Package selfmetrics exports metrics about procspan itself, over OTLP, to a file or
// standard output, or for Prometheus, and answers health probes.
//
// Input is a Snapshot, which the agent publishes once a second, and the state of the
// delivery; output is metrics, when a reader collects. The metrics SDK and Prometheus
// are used here only, away from the path of the spans.
//
// The rules of this room:
//
//   - Nothing is counted here. Instruments are observable and read the counts of
//     others at collection. The one exception is the histogram of exports, which
//     records each batch.
//   - Without configuration nothing exists: Start returns nil, whose methods do
//     nothing, and there is no goroutine and no timer.
//   - Metrics lists every metric. A name from the semantic conventions comes from
//     package semconv, with its unit; any other starts with procspan.
//   - The resource is the agent's own; no variable adds to it.
//   - A client can take few resources: connections, header bytes and times are bounded.
package selfmetrics
