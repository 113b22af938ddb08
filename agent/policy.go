package agent

import (
	"slices"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// newPolicy returns where traces begin and which processes get no span.
func newPolicy(c config.Config, cgroups *otelexport.Workloads) (p process.Policy, err error) {
	traces, split := c.TracePolicy, c.TracePolicy.SplitOn
	p = process.Policy{
		Session: split.Session, Cgroup: split.Cgroup, Job: split.Job, LongLived: split.LongLived,
		LongLivedAfter: traces.LongLivedAfter,
		MaxSpans:       traces.MaxSpans, MaxAge: traces.MaxAge,
		KeepErrors:  traces.KeepErrors,
		MinDuration: c.Filter.MinDuration, KeepShortErrors: c.Filter.KeepErrors,
		Forks:    c.Capture.Forks,
		Expected: func(l *process.Lifetime) bool { return c.ExpectedExits.Expects(l.Name(), l.Status) },
	}
	if traces.Join {
		p.Extract = otelexport.Extract
	}
	if c.Traces != nil { // a terminal shows everything
		p.MaxBytes = traces.MaxBytes
		p.Sample = otelexport.NewSampler(c.Traces.Sampler, traces.HonoursSampled(false))
	}
	p.Rules, err = newRules(c, cgroups)
	return p, err
}

// tracerOptions says what the BPF programs gather.
func tracerOptions(c config.Config, onlyDescendants bool) bpf.Options {
	var pin string
	if c.Daemon.Persist {
		pin = c.Daemon.PinDirectory
	}
	return bpf.Options{
		Pin:              pin,
		RingSize:         c.Kernel.RingBytes(onlineCPUs()),
		ArgsMaxBytes:     c.Capture.ArgsMaxBytes,
		WorkingDirectory: c.Capture.WorkingDirectory,
		OnlyDescendants:  onlyDescendants,
		Rules:            len(c.Rules) > 0 || !onlyDescendants, // rules may come later
		Variables:        searchedVariables(c),
		CgroupPaths:      exports(c) || len(c.Rules) > 0 || !onlyDescendants, // rules may come later
	}
}

// searchedVariables are those that the BPF programs look for in a new environment.
func searchedVariables(c config.Config) []string {
	var names []string
	if c.TracePolicy.Join {
		names = append(names, "TRACEPARENT", "TRACESTATE")
	}
	if c.Capture.Baggage {
		names = append(names, "BAGGAGE")
	}
	names = append(names, c.Capture.Environment...)
	names = append(names, c.Rules.Variables()...)
	slices.Sort(names)
	return slices.Compact(names)
}
