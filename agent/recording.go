package agent

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/enrich"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/redact"
	"github.com/procspan/procspan/report"
	"github.com/procspan/procspan/timeline"
)

// Reports says what Exec shows of the finished job.
type Reports struct {
	// Outputs are the files to write.
	Outputs []*report.Output
	// NoArgs keeps the arguments out of all of them, and of the terminal.
	NoArgs bool
	// Rows bounds the waterfall; 0 is a row for each process.
	Rows int
}

// recording keeps the lifetimes of a job for reports.
type recording struct {
	recorder *report.Recorder
	redactor *redact.Redactor
	noArgs   bool
	policy   string
	paths    map[uint64]string // of cgroups
	reexecs  []process.Reexec  // memory
}

// maxRecordedPaths bounds the cgroups whose paths are known.
const maxRecordedPaths = 16_384

func newRecording(o Options) (*recording, error) {
	redactor, err := newRedactor(o.Config)
	if err != nil {
		return nil, err
	}
	r := &recording{noArgs: o.Reports.NoArgs, policy: string(o.Config.Capture.Args), paths: map[uint64]string{}, redactor: redactor}
	if r.noArgs {
		r.policy = string(config.ArgsOff)
	}
	recorder, err := report.NewRecorder()
	if err != nil {
		return nil, err
	}
	r.recorder = recorder
	return r, nil
}

func (r *recording) named(id uint64, path string) {
	if len(r.paths) < maxRecordedPaths {
		r.paths[id] = path
	}
}

func (r *recording) started(*process.Event, *process.Table) {}

func (r *recording) ended(l *process.Lifetime) {
	kept := *l // others show it as well
	kept.Image.Args, kept.Image.Environment = r.shown(l), ""
	kept.Reexecs = r.reexecs[:0]
	for _, e := range l.Reexecs {
		image := process.Image{Filename: e.To.Filename, Executable: e.To.Executable}
		kept.Reexecs = append(kept.Reexecs, process.Reexec{At: e.At, To: image})
	}
	r.reexecs = kept.Reexecs
	_, workload := enrich.Innermost(r.paths[l.Groups.Cgroup.V2], r.paths[l.Groups.Cgroup.V1])
	r.recorder.Add(&kept, cmp.Or(workload.ContainerName, workload.ContainerID))
}

// shown returns of the arguments what reports may hold.
func (r *recording) shown(l *process.Lifetime) string {
	var t process.Treatment
	if l.Treatment != nil {
		t = *l.Treatment
	}
	args := l.Image.Args
	switch policy := cmp.Or(t.Args, r.policy); {
	case r.noArgs, policy == string(config.ArgsOff):
		return ""
	case policy != string(config.ArgsFull):
		args = r.redactor.Args(args)
	}
	args, _ = t.FirstArgs(args)
	return args
}

// show writes the reports of the job whose command has the id root, and a summary
// on the terminal where the job is not exported.
func (r *recording) show(o Options, clock *otelexport.Clock, boot string, root process.ID, missing map[string]uint64) error {
	host, _ := os.Hostname() // a report can do without
	m, err := r.recorder.Model(timeline.Job{
		Root: root, CPUs: runtime.NumCPU(), Version: o.Version, Host: host, ArgsPolicy: r.policy, Boot: boot, Missing: missing,
	})
	if m == nil {
		return err
	}
	m.Job.Begin = time.Unix(0, int64(clock.Unix(m.Job.Origin)))
	if m.Len() == 0 {
		return err
	}
	a := timeline.Analyse(m)
	if !exports(o.Config) {
		if _, werr := fmt.Fprintln(o.Console); werr != nil {
			err = errors.Join(err, fmt.Errorf("write the summary: %w", werr))
		} else {
			err = errors.Join(err, report.Text(o.Console, a, o.Width, o.Reports.Rows))
		}
	}
	for _, out := range o.Reports.Outputs {
		err = errors.Join(err, out.Write(a))
	}
	return err
}

func (r *recording) close() error { return r.recorder.Close() }

// outputs hands everything to several.
type outputs []output

func (all outputs) named(id uint64, path string) {
	for _, o := range all {
		o.named(id, path)
	}
}

func (all outputs) started(ev *process.Event, t *process.Table) {
	for _, o := range all {
		o.started(ev, t)
	}
}

func (all outputs) ended(l *process.Lifetime) {
	for _, o := range all {
		o.ended(l)
	}
}
