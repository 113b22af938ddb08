package deliver

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc/codes"
)

func TestAttemptsAreTold(t *testing.T) {
	o, _ := testOptions(t)
	told := make(chan string, 10)
	o.Traces[0].Attempted = func(took time.Duration, errorType string) {
		if took <= 0 {
			t.Errorf("an attempt took %s", took)
		}
		told <- errorType
	}
	c := newCollector(refuse(fail(codes.Unavailable, "later")), func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
		return &coltracepb.ExportTraceServiceResponse{PartialSuccess: &partialSuccess{RejectedSpans: 1}}, nil
	}).listen(t, "")
	o.Traces[0].Exporter.OTLPGRPC.Target = c.addr
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Shutdown(context.Background())
	export(e, 2)
	c.wait(t, 2)
	export(e, 1)
	c.wait(t, 1)
	for _, want := range []string{"UNAVAILABLE", "rejected", ""} {
		if got := <-told; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCodeName(t *testing.T) {
	for code, want := range map[codes.Code]string{
		codes.OK: "OK", codes.Canceled: "CANCELLED", codes.DeadlineExceeded: "DEADLINE_EXCEEDED", codes.DataLoss: "DATA_LOSS",
		codes.Unauthenticated: "UNAUTHENTICATED", codes.NotFound: "NOT_FOUND",
	} {
		if got := codeName(code); got != want {
			t.Errorf("%v: got %s, want %s", code, got, want)
		}
	}
}

func TestDepth(t *testing.T) {
	o, _ := testOptions(t)
	o.Traces[0].Batch.MaxExportBatchSize = 2
	arrived, answer := make(chan struct{}), make(chan struct{})
	e := start(t, o, &fakeTransport{begin: time.Now(), answer: func(ctx context.Context, attempt, _ int) (*partialSuccess, error) {
		if attempt == 1 {
			close(arrived)
			<-answer
		}
		return nil, nil
	}})
	export(e, 2)
	<-arrived
	export(e, 1)
	states := e.States()
	spans := states[0].Depth
	if len(states) != 1 || spans.InFlight != 2 || spans.Queued != 1 || spans.Bytes == 0 || spans.Capacity != 1000 {
		t.Errorf("got %+v; want 2 spans under way, 1 waiting, room for 1000, and no records", states)
	}
	close(answer)
	e.Shutdown(t.Context())
	if spans := e.States()[0].Depth; spans.InFlight != 0 || spans.Queued != 0 || spans.Bytes != 0 {
		t.Errorf("at the end: %+v", spans)
	}
}

func TestFailureHidesHeaders(t *testing.T) {
	o, _ := testOptions(t)
	err := Failure("metrics", o.Traces[0].Exporter, fmt.Errorf("upload: %w", fail(codes.Unauthenticated, "no such token: s3cr3t-token")))
	const want = "send metrics to 127.0.0.1:4317: UNAUTHENTICATED: no such token: <redacted>; check the exporter's headers: the collector does not accept their credentials"
	if err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if err := Failure("metrics", o.Traces[0].Exporter, errors.New("x")); err == nil {
		t.Error("no error")
	}
}
