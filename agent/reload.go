package agent

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// change is a configuration that is about to replace the present one. All that may
// fail or block is done: the event loop applies it between two events.
type change struct {
	config      config.Config
	policy      process.Policy
	kernel      []bpf.Rule
	export      otelexport.Options // of an agent with an exporter
	fingerprint uint64
	// applied gets nil, or why nothing has changed.
	applied chan error
}

// reloads makes changes of the configuration file, one for each request.
type reloads struct {
	o Options // with the present configuration
	// exporting: the agent has an exporter.
	exporting bool
	clock     *otelexport.Clock
	cgroups   *otelexport.Workloads
	changes   chan *change
	failed    atomic.Uint64
}

// stopReloadWithin bounds how long the end waits for a file that is being read.
const stopReloadWithin = time.Second

// reloaded counts the changes that were applied; last is the time of the last, or of
// the start.
type reloaded struct {
	count uint64
	last  time.Time
}

// acceptReloads makes the flow take changes of the configuration until stop is
// called. take makes the output take one; its error means that nothing has changed.
func (f *flow) acceptReloads(o Options, take func(*change) error) (stop func()) {
	logSource(o.Log, "configuration in force", o.Config.Source)
	f.reloads = &reloads{o: o, exporting: exports(o.Config), clock: f.clock, cgroups: f.cgroups, changes: make(chan *change)}
	f.take = take
	f.reloaded.last = time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.reloads.run(ctx)
	}()
	return func() {
		cancel()
		select {
		case <-done:
		case <-time.After(stopReloadWithin): // the file hangs, as on NFS
		}
	}
}

// pending is where changes come from; nil is nowhere.
func (r *reloads) pending() <-chan *change {
	if r == nil {
		return nil
	}
	return r.changes
}

func (r *reloads) run(ctx context.Context) {
	for {
		select {
		case <-r.o.Reload:
		case <-ctx.Done():
			return
		}
		if err := r.reload(ctx); err != nil && ctx.Err() == nil {
			r.failed.Add(1)
			logProblems(r.o.Log, err)
		}
	}
}

// reload reads the file and waits until the event loop has applied it.
func (r *reloads) reload(ctx context.Context) error {
	if r.o.Load == nil {
		return errors.New("there is no configuration file to read again; name one with --config")
	}
	next, err := r.o.Load()
	if err != nil {
		return err
	}
	taken, restart := r.o.Config.Reload(next)
	restart = append(restart, uncaptured(r.o.Config, taken)...)
	o := r.o
	o.Config = taken
	policy, err := newPolicy(taken, r.cgroups)
	if err != nil {
		return err
	}
	c := &change{config: taken, policy: policy, kernel: kernelRules(taken.Rules), fingerprint: fingerprint(o), applied: make(chan error, 1)}
	if r.exporting {
		if c.export, err = exporterOptions(o, r.clock); err != nil {
			return err
		}
	}
	select {
	case r.changes <- c:
		err = <-c.applied
	case <-ctx.Done():
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	r.o = o
	logSource(o.Log, "configuration reloaded", next.Source)
	if len(restart) > 0 {
		o.Log.Warn("some changes need a restart of procspan", "options", restart)
	}
	return nil
}

// uncaptured names the variables that the next configuration reads and the BPF
// programs do not look for.
func uncaptured(now, next config.Config) (names []string) {
	have := searchedVariables(now)
	for _, name := range searchedVariables(next) {
		if !slices.Contains(have, name) {
			names = append(names, "distribution.procspan.rules (the environment variable "+name+")")
		}
	}
	return names
}

// reconfigure applies a change between two events: what happened before it was asked for
// goes by the earlier configuration, all later by this one.
func (f *flow) reconfigure(c *change) {
	err := errors.New("procspan panicked")
	defer func() { c.applied <- err }()
	defer f.recovered()
	if err = f.catchUp(); err == nil {
		f.keep.write() // by the exporters that the last snapshot names
		err = f.take(c)
	}
	if err != nil {
		return
	}
	f.policy = c.policy
	f.handOn(f.table.SetPolicy(c.policy))
	f.trees.follow(f.table, c.kernel)
	f.keep.reconfigured(c.fingerprint)
	f.reloaded = reloaded{f.reloaded.count + 1, time.Now()}
}

// logSource logs which file is in force.
func logSource(log *slog.Logger, message string, s config.Source) {
	if s != (config.Source{}) {
		log.Info(message, "file", s.Path, "sha256", s.SHA256)
	}
}

// logProblems logs why a configuration was not taken, each problem in a record of its
// own.
func logProblems(log *slog.Logger, err error) {
	const message = "configuration not reloaded, the present one stays in force"
	var invalid *config.Invalid
	if !errors.As(err, &invalid) {
		log.Error(message, "error", err)
		return
	}
	for _, p := range invalid.Problems {
		log.Error("invalid configuration", "file", p.Name, "line", p.Line, "option", p.Path, "problem", p.Text)
	}
	log.Error(message, "problems", len(invalid.Problems))
}
