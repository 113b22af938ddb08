// Package timeline is the model of one job: which processes it ran, what held it
// up, and what would make it shorter.
//
// Finished lifetimes go in ([Builder.Add]); a [Model] comes out, and answers
// from it: the tree, lanes, what ran at once ([Model.Load]), the critical path
// ([Model.Path]), per-command totals ([Model.Commands]), what-if estimates
// ([Model.WhatIf]), findings ([Model.Findings]) and the comparison of two jobs
// ([Compare]).
//
// The rules of this package:
//
//   - It is pure: no goroutine, no I/O, no clock. The same lifetimes in any
//     order give the same model.
//   - A process is an index. Columns are slices with one element per process;
//     no object exists per process, and no function recurses, so that a chain of
//     100,000 processes is as good as any other tree.
//   - Time is nanoseconds since the start of the job.
//   - The segments of the critical path partition the elapsed time exactly.
//   - What is inferred says so. A gain is a range, never one number.
package timeline
