// Package deliver brings encoded items (spans, log records) to OTLP collectors, files
// and the terminal, or counts them as dropped with a reason. It knows no process. MetricsClient writes the
// metrics that the SDK encodes.
//
// Bytes go in by Intake.Push, grouped by the bytes of their resource. Each signal has
// an intake, and each of its exporters a pipeline:
//
//	Push → Intake ─┬→ backlog (memory, disk) → next → sender → Transport → collector
//	               │     ↑                              │
//	               │     └──────────── done ────────────┘
//	               └→ backlog of another exporter …
//
// The rules of this room:
//
//   - The intake forms batches; the exporters of a signal share each by reference.
//   - The backlog owns an exporter's hold on every item from then until done, in memory
//     and on disk. Nobody else asks where a batch is.
//   - Each item is counted in one place at a time, for each exporter: book.go holds all
//     sums.
//   - Push never blocks and never logs. The network, the disk and the terminal are
//     left to goroutines of this room.
//   - The disk is for trouble: while exports fail, or while the memory is more than
//     half full. After a crash a stored batch may be sent twice, which is harmless,
//     since ids are those of the processes.
//   - A Transport makes one attempt and returns a Verdict; the sender alone decides
//     when to try again.
package deliver
