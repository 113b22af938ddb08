package agent

import (
	"slices"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// policy says where traces begin and which processes get no span.
func policy(c config.Config) process.Policy {
	traces, split := c.TracePolicy, c.TracePolicy.SplitOn
	p := process.Policy{
		Session: split.Session, Cgroup: split.Cgroup, Job: split.Job, LongLived: split.LongLived,
		LongLivedAfter: traces.LongLivedAfter,
		MaxSpans:       traces.MaxSpans, MaxAge: traces.MaxAge,
		KeepErrors:  traces.KeepErrors,
		MinDuration: c.Filter.MinDuration, KeepShortErrors: c.Filter.KeepErrors,
		Expected: func(l *process.Lifetime) bool { return c.ExpectedExits.Expects(l.Name(), l.Status) },
	}
	if traces.Join {
		p.Extract = otelexport.Extract
	}
	if c.Traces != nil { // a terminal shows everything
		p.Sample = otelexport.NewSampler(c.Traces.Sampler, traces.HonourSampled)
	}
	return p
}

// tracerOptions says what the kernel side gathers.
func tracerOptions(c config.Config, onlyDescendants bool) bpf.Options {
	var pin string
	if c.Daemon.Persist {
		pin = c.Daemon.PinDirectory
	}
	return bpf.Options{
		Pin:              pin,
		RingSize:         c.Kernel.RingSize,
		ArgsMaxBytes:     c.Capture.ArgsMaxBytes,
		WorkingDirectory: c.Capture.WorkingDirectory,
		OnlyDescendants:  onlyDescendants,
		Variables:        variables(c),
		CgroupPaths:      exports(c),
	}
}

// variables are those that the kernel looks for in a new environment.
func variables(c config.Config) []string {
	var names []string
	if c.TracePolicy.Join {
		names = append(names, "TRACEPARENT", "TRACESTATE")
	}
	if c.Capture.Baggage {
		names = append(names, "BAGGAGE")
	}
	names = append(names, c.Capture.Environment...)
	slices.Sort(names)
	return slices.Compact(names)
}
