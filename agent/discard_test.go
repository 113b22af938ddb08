package agent

import (
	"context"
	"testing"

	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/otelexport/deliver"
)

// discard is a collector that costs nothing and accepts everything.
type discard struct{}

func (discard) Upload(context.Context, []deliver.Part) deliver.Verdict { return deliver.Verdict{} }
func (discard) Recover(ctx context.Context)                            { <-ctx.Done() }
func (discard) Close()                                                 {}

// newDiscardExporter returns an exporter whose requests are thrown away.
func newDiscardExporter(tb testing.TB, o Options, clock *otelexport.Clock) *otelexport.Exporter {
	tb.Helper()
	eo, err := exporterOptions(o, clock)
	if err != nil {
		tb.Fatal(err)
	}
	for _, to := range append(eo.Traces, eo.Logs...) {
		to.Transport = discard{}
	}
	exporter, err := otelexport.New(eo)
	if err != nil {
		tb.Fatal(err)
	}
	return exporter
}
