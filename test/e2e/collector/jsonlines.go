package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
)

// maxLine is the longest line that contrib's otlpjsonfile receiver takes, unless it
// is told otherwise.
const maxLine = 1 << 20

// jsonLinesConfig names the file to read.
type jsonLinesConfig struct {
	Path string `mapstructure:"path"`
}

// jsonLinesFactory makes a receiver that reads the traces of one file, as contrib's
// otlpjsonfile receiver does, whose module cannot be required: each line is decoded
// by the Collector's ptrace.JSONUnmarshaler.
func jsonLinesFactory() receiver.Factory {
	return receiver.NewFactory(
		component.MustNewType("json_lines"),
		func() component.Config { return &jsonLinesConfig{} },
		receiver.WithTraces(func(_ context.Context, _ receiver.Settings, c component.Config, next consumer.Traces) (receiver.Traces, error) {
			return &jsonLines{path: c.(*jsonLinesConfig).Path, next: next}, nil
		}, component.StabilityLevelDevelopment),
	)
}

type jsonLines struct {
	path   string
	next   consumer.Traces
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Start begins to read. A file that cannot be read ends the Collector.
func (r *jsonLines) Start(context.Context, component.Host) error {
	f, err := os.Open(r.path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.done.Go(func() {
		if err := errors.Join(r.read(ctx, f), f.Close()); err != nil {
			panic(err)
		}
	})
	return nil
}

func (r *jsonLines) read(ctx context.Context, f *os.File) error {
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(lines.Bytes())
		if err != nil {
			return fmt.Errorf("decode %.200s: %w", lines.Bytes(), err)
		}
		if err := r.next.ConsumeTraces(ctx, traces); err != nil {
			return err
		}
	}
	return lines.Err()
}

// Shutdown implements [component.Component].
func (r *jsonLines) Shutdown(context.Context) error {
	r.cancel()
	r.done.Wait()
	return nil
}
