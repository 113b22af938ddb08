package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
)

// page is a trace as Jaeger's web page reads it, over another API than
// [jaeger.spans]: it decides what is marked red and what is warned about.
type page struct {
	Warnings []string            // about the trace
	Spans    map[string]pageSpan // by span id
}

// pageSpan is a row of the page.
type pageSpan struct {
	Name     string
	Service  string
	Error    bool // the red mark
	Warnings []string
	// References are the parent and what the span is linked to.
	References []reference
}

// reference is another span that a span refers to.
type reference struct {
	RefType, TraceID, SpanID string
}

// page returns the page of a trace, which Jaeger must have.
func (j *jaeger) page(t *testing.T, traceID string) page {
	t.Helper()
	p, err := j.readPage(t.Context(), traceID, false)
	if err != nil {
		t.Fatalf("read the trace's page: %v", err)
	}
	return p
}

// readPage returns the page of a trace; raw is before Jaeger has judged it.
func (j *jaeger) readPage(ctx context.Context, traceID string, raw bool) (page, error) {
	body, err := httpGet(ctx, fmt.Sprintf("%s/api/traces/%s?raw=%t", j.queryURL, traceID, raw))
	if err != nil {
		return page{}, err
	}
	var answer struct {
		Data []struct {
			Warnings  []string
			Processes map[string]struct{ ServiceName string }
			Spans     []struct {
				SpanID, OperationName, ProcessID string
				Warnings                         []string
				References                       []reference
				Tags                             []struct {
					Key   string
					Value any
				}
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return page{}, fmt.Errorf("decode jaeger's answer: %w", err)
	}
	if len(answer.Data) != 1 {
		return page{}, fmt.Errorf("jaeger has %d traces with the id %s", len(answer.Data), traceID)
	}
	trace := answer.Data[0]
	p := page{Warnings: trace.Warnings, Spans: map[string]pageSpan{}}
	for _, in := range trace.Spans {
		out := pageSpan{
			Name:     in.OperationName,
			Service:  trace.Processes[in.ProcessID].ServiceName,
			Warnings: in.Warnings, References: in.References,
		}
		for _, tag := range in.Tags {
			if tag.Key == "error" && tag.Value == true {
				out.Error = true
			}
		}
		if _, twice := p.Spans[in.SpanID]; twice {
			return page{}, fmt.Errorf("the page shows span %s twice", in.SpanID)
		}
		p.Spans[in.SpanID] = out
	}
	return p, nil
}
