// Package e2e runs procspan's binary against real back ends: a Jaeger v2 and an
// OpenTelemetry Collector, built from their Go modules and started on loopback.
// It holds tests only, and ./instrumented, a program for them to run, in a module
// of its own, so that nothing of this weighs on procspan's go.mod.
//
//	cd e2e && go test -count 1 -timeout 60m ./...
//
// (Go does not know that the result depends on procspan's files: without -count 1
// it would give that of an earlier run.)
//
// It needs root and a kernel with BTF, as procspan does (without them the tests
// that start procspan are skipped; with CI=true in the environment they fail),
// and bash, make, gcc, perl and strace.
//
// The first run compiles Jaeger (7 minutes of CPU time) and the Collector (2 to 3
// minutes): about 5 minutes on two idle cores, 20 on two busy ones, and 2.3 GB of
// Go's build cache. go test's own limit of 10 minutes may be short for that; what
// is compiled by then is kept. The binaries stay in os.UserCacheDir()/procspan-e2e
// until their sources, go.sum or the Go toolchain change. Every later run takes
// about a minute.
//
// Three modules, because no version of the Collector's modules serves all: Jaeger
// v2.13.0 is written against 0.140, the Collector here is 0.161, and procspan's
// client belongs to a newer OpenTelemetry than both. Each directory resolves by
// itself:
//
//   - jaeger: a go.mod that names Jaeger as its tool and repeats its replace.
//     Its go.sum is Jaeger's own, tidied: the checksum database does not serve
//     every module that Jaeger requires.
//   - collector: a Collector in a short main, of core modules and two of contrib.
//
// What is true is not taken from procspan: strace tells which processes a build
// has, from a run of its own and, in TestBuildByWitness, from the very same
// one; os/exec tells how a process ended. Nothing here waits a fixed time: servers
// are asked whether they are ready, Jaeger has stored a span before it confirms
// it, and the Collector passes on what it has before it ends.
package e2e
