// Package selfmetrics tells how procspan itself does: metrics by the
// OpenTelemetry SDK, sent over OTLP/gRPC or fetched by Prometheus, and answers to
// health probes.
//
// In comes a Snapshot, published by the agent's one goroutine about once a second,
// and what the exporter knows of its delivery; out go metrics, when a reader
// wants them. It is a room of its own so that the metrics SDK and Prometheus stay
// out of the way of the spans.
//
// The rules of this room:
//
//   - Nothing counts here. Whoever does the work counts anyway; instruments are
//     observable and read those counts when somebody asks. The one exception is the
//     histogram of exports, which is told of each, once a batch.
//   - Without configuration nothing exists: Start returns nil, whose methods do
//     nothing, and there is no goroutine and no timer.
//   - Metrics lists every metric there is. A name of the semantic conventions
//     comes from package semconv, with its unit; any other is under procspan.
//   - The resource is the agent's own, and no variable adds to it.
package selfmetrics
