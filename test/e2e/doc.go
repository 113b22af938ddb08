// Package e2e runs procspan's binary against real back ends: a Jaeger v2 and an
// OpenTelemetry Collector, built from their Go modules and started on loopback.
// It holds tests, and ./instrumented, a program that they run. It is a module of its
// own, so that its dependencies stay out of procspan's go.mod.
//
//	cd test/e2e && go test -count 1 -timeout 60m ./...
//
// (-count 1, because Go's test cache does not know that the result depends on
// procspan's files.)
//
// It needs root and a kernel with BTF, as procspan does, and bash, make, gcc, perl and
// strace. Without root or BTF the tests that start procspan are skipped; with CI=true
// in the environment they fail.
//
// The first run compiles Jaeger and the Collector: about 5 minutes on two idle cores,
// 15 on two busy ones, and 2 GB of Go's build cache. go test's own limit of 10 minutes
// may be too short for that, but what is compiled by then is kept. The binaries stay in
// os.UserCacheDir()/procspan-e2e until their sources, go.sum or the Go toolchain
// change.
//
// TestSoak takes 20 seconds here, 2 minutes in CI and 20 minutes in make soak.
//
// There are three modules, because no version of the Collector's modules serves all:
// Jaeger v2.13.0 needs 0.140, the Collector here is 0.161, and procspan's client needs a
// newer OpenTelemetry than both. Each directory resolves by itself:
//
//   - jaeger: a go.mod that names Jaeger as its tool and repeats its replace.
//     Its go.sum is Jaeger's own, tidied: the checksum database does not serve
//     every module that Jaeger requires.
//   - collector: a Collector in a short main, of core modules and three of contrib, whose
//     k8sattributesprocessor v1.0.0 is the one of the release 0.161.
//
// The truth comes from elsewhere than procspan: strace lists the processes of a build,
// from a run of its own and, in TestBuildByWitness, from the same one; os/exec says how
// a process ended. Nothing here waits a fixed time: the tests poll whether a server is
// ready, Jaeger confirms a span once it has stored it, and the Collector passes on what
// it has before it ends.
package e2e
