package main

import (
	"context"
	"os/exec"
)

// lab is what all measurements share.
type lab struct {
	self     string // this program
	procspan string
	dir      string // for files that are gone afterwards
	say      func(format string, args ...any)
}

// contender is one way to trace the processes of a host.
type contender struct {
	name  string // in results.json, and for -only
	title string // in the table
	// delivers is what the storm's processes are counted in.
	delivers func(counts) (seen int)
	start    func(ctx context.Context, l *lab) (*tracer, error)
	// absent says why it is left out here, and is "" where it is not.
	absent func(ctx context.Context, l *lab) string
}

// contenders are all, in the order of the table.
func contenders() []contender {
	lines := func(c counts) int { return min(c.Execs, c.Exits) }
	spans := func(c counts) int { return c.Spans }
	return []contender{
		{
			name: "procspan", title: "procspan: spans over OTLP/gRPC", delivers: spans,
			start:  func(ctx context.Context, l *lab) (*tracer, error) { return l.startProcspan(ctx, setup{}) },
			absent: func(context.Context, *lab) string { return "" },
		},
		{
			name: "procspan-logs", title: "procspan: spans and log records",
			delivers: func(c counts) int { return min(c.Spans, c.Execs, c.Exits) },
			start:    func(ctx context.Context, l *lab) (*tracer, error) { return l.startProcspan(ctx, setup{logs: true}) },
			absent:   func(context.Context, *lab) string { return "" },
		},
		{
			name: "procspan-persist", title: "procspan: spans, persistent", delivers: spans,
			start: func(ctx context.Context, l *lab) (*tracer, error) { return l.startProcspan(ctx, setup{persist: true}) },
			absent: func(ctx context.Context, l *lab) string {
				if !l.accepts(ctx, setup{persist: true}) {
					return "this procspan does not know distribution.procspan.daemon.persist"
				}
				return ""
			},
		},
		{
			name: "bpftrace", title: "bpftrace: prints exec and exit", delivers: lines,
			start: func(ctx context.Context, l *lab) (*tracer, error) {
				return l.startPrinting(ctx, printing{printsBoth, []string{"bpftrace", "-q", "-B", "full", "-e", bpftraceProgram}})
			},
			absent: lacks("bpftrace"),
		},
		{
			name: "libbpf-tools", title: "execsnoop + exitsnoop: print exec and exit", delivers: lines,
			start: func(ctx context.Context, l *lab) (*tracer, error) {
				return l.startPrinting(ctx, printing{printsExecs, []string{"execsnoop"}}, printing{printsExits, []string{"exitsnoop"}})
			},
			absent: lacks("execsnoop", "exitsnoop"),
		},
	}
}

// bpftraceProgram prints what bpftrace can know without maps: the cheapest way
// to say who started what, and how it ended.
const bpftraceProgram = `
tracepoint:sched:sched_process_exec {
	printf("exec %s %d %d %s\n", comm, pid, curtask->real_parent->tgid, str(args->filename));
}
tracepoint:sched:sched_process_exit /pid == tid/ {
	printf("exit %s %d %d %d\n", comm, pid, curtask->real_parent->tgid, curtask->exit_code);
}`

func lacks(programs ...string) func(context.Context, *lab) string {
	return func(context.Context, *lab) string {
		for _, p := range programs {
			if _, err := exec.LookPath(p); err != nil {
				return p + " is not installed"
			}
		}
		return ""
	}
}
