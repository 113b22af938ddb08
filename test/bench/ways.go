package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ways is what it takes to send over gRPC and over HTTP, with each compression.
type ways struct {
	Procspan string `json:"procspan"` // its version
	All      []way  `json:"all"`
}

type way struct {
	HTTP        bool      `json:"http"`
	Compression string    `json:"compression"`
	Storms      []wayLoad `json:"storms"`
	// Build is a real build, by procspan exec.
	Build wayLoad `json:"build"`
}

// wayLoad is what procspan took and sent for a load. Wire is all that came in by the
// sockets, headers included.
type wayLoad struct {
	CPU   int64 `json:"cpu_ns,omitempty"` // of the agent
	Spans int   `json:"spans"`
	Wire  int   `json:"wire_bytes"`
}

func (w way) String() string {
	name := "OTLP/gRPC"
	if w.HTTP {
		name = "OTLP/HTTP"
	}
	return name + ", " + w.Compression
}

// ways measures all, in turns.
func (l *lab) ways(ctx context.Context, p plan, version string) (*ways, error) {
	all := &ways{Procspan: version}
	for _, http := range []bool{false, true} {
		for _, compression := range []string{"none", "gzip", "zstd"} {
			all.All = append(all.All, way{HTTP: http, Compression: compression})
		}
	}
	for i := range p.Pairs {
		for j := range all.All {
			w := &all.All[j]
			load, err := l.sent(ctx, setup{http: w.HTTP, compression: w.Compression}, p.Lifetimes, func() error {
				_, err := l.storm(ctx, stormName, p.Lifetimes)
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("%v: %w", w, err)
			}
			l.say("round %d/%d: %v: %.1f µs of CPU and %.0f bytes a lifetime", i+1, p.Pairs, w, micros(load.CPU, load.Spans), load.perSpan())
			w.Storms = append(w.Storms, load)
		}
	}
	dir := filepath.Join(l.dir, "project")
	if err := writeProject(dir, p.Compiles); err != nil {
		return nil, err
	}
	for j := range all.All {
		w := &all.All[j]
		load, err := l.built(ctx, setup{http: w.HTTP, compression: w.Compression}, dir)
		if err != nil {
			return nil, fmt.Errorf("%v, a build: %w", w, err)
		}
		w.Build = load
		l.say("build: %v: %d spans, %.0f bytes each", w, load.Spans, load.perSpan())
	}
	return all, nil
}

// sent runs a load with procspan, which sees want of the storm's lifetimes.
func (l *lab) sent(ctx context.Context, s setup, want int, load func() error) (done wayLoad, err error) {
	t, err := l.startProcspan(ctx, s)
	if err != nil {
		return done, err
	}
	err = func() error {
		before, err := t.cpu()
		if err != nil {
			return err
		}
		if err := load(); err != nil {
			return err
		}
		if err := t.settle(ctx, want, func(c counts) int { return c.Spans }); err != nil {
			return err
		}
		after, err := t.cpu()
		done.CPU = int64(after - before)
		return err
	}()
	received, ended := t.finish()
	if err == nil {
		err = ended
	}
	done.Spans, done.Wire = received.Spans+received.OtherSpans, received.Wire
	return done, err
}

// built runs a build by procspan exec, which sees nothing else.
func (l *lab) built(ctx context.Context, s setup, dir string) (done wayLoad, err error) {
	sink, err := l.receive(ctx, nil, roleSink)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, sink.close()) }()
	var grpc, http string
	if _, err := fmt.Fscanln(sink.out, &grpc, &http); err != nil {
		return done, fmt.Errorf("start the sink: %w", err)
	}
	file := filepath.Join(l.dir, "exec.yml")
	if err := os.WriteFile(file, []byte(s.configuration(grpc, http, l.dir)), 0o644); err != nil {
		return done, err
	}
	if err := clean(dir); err != nil {
		return done, err
	}
	cmd := exec.CommandContext(ctx, l.procspan, "exec", "--config", file, "--", "make", "-s", "-j2")
	cmd.Dir, cmd.Env = dir, append(plainEnvironment(), "TMPDIR="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return done, fmt.Errorf("procspan exec make: %w\n%s", err, out)
	}
	received, err := sink.counts()
	return wayLoad{Spans: received.Spans + received.OtherSpans, Wire: received.Wire}, err
}

func (w wayLoad) perSpan() float64 { return float64(w.Wire) / float64(max(1, w.Spans)) }

func (w way) cpu() spread {
	var each []float64
	for _, s := range w.Storms {
		each = append(each, micros(s.CPU, s.Spans))
	}
	return spreadOf(each)
}

func (w way) wire() float64 {
	var each []float64
	for _, s := range w.Storms {
		each = append(each, s.perSpan())
	}
	return median(each)
}

// table is the ways, in Markdown. The first is what the others are held against.
func (w *ways) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n| procspan %s: ways to send | its CPU, µs a lifetime | CPU, of the first's | bytes a lifetime of the storm | bytes a span of a build (spans) |\n|---|---|---|---|---|\n", w.Procspan)
	for _, one := range w.All {
		cpu := one.cpu()
		fmt.Fprintf(&b, "| %v | %.1f (%.1f–%.1f) | %.2f | %.0f | %.0f (%d) |\n", one, cpu.median, cpu.min, cpu.max,
			cpu.median/w.All[0].cpu().median, one.wire(), one.Build.perSpan(), one.Build.Spans)
	}
	return b.String()
}
