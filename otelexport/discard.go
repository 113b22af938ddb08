package otelexport

import "context"

// Discard returns an exporter that does all that New's does, but throws each
// request away instead of sending it, as if the server had taken it. It says
// what the work before the network costs.
func Discard(o Options) *Exporter {
	start := func(s signal, to *Destination) *pipeline {
		if to == nil {
			return nil
		}
		return startPipeline(s, to, discardLink{}, o.Log)
	}
	return assemble(o, start(signalSpans, o.Traces), start(signalLogRecords, o.Logs))
}

// discardLink is a way to nowhere.
type discardLink struct{}

func (discardLink) upload(context.Context, []part) (*partialSuccess, error) { return nil, nil }

func (discardLink) mend(ctx context.Context) { <-ctx.Done() }
