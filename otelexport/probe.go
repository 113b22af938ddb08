package otelexport

import "context"

// ProbeTraces sends a request without spans, and says whether the server took
// it. It tries once, until ctx ends.
func ProbeTraces(ctx context.Context, to *Destination, version string) error {
	return probe(ctx, signalSpans, to, version)
}

// ProbeLogs does the same with one without log records.
func ProbeLogs(ctx context.Context, to *Destination, version string) error {
	return probe(ctx, signalLogRecords, to, version)
}

func probe(ctx context.Context, s signal, to *Destination, version string) error {
	link, err := connect(s, to, version)
	if err != nil {
		return err
	}
	defer link.close()
	if _, err := link.upload(ctx, nil); err != nil {
		return Failure(string(s), to.Exporter, err)
	}
	return nil
}
