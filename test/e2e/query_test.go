package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// readTimeout bounds how long spans may take from their sender to Jaeger's
// answer.
const readTimeout = 30 * time.Second

// warningsAttribute is where Jaeger's API v3 puts its warnings.
const warningsAttribute = "@jaeger@warnings"

// awaitSpans returns all spans of a service once Jaeger has at least n of them,
// sorted by start. Where they do not come it returns those that did, so that
// the caller's comparison tells which are missing.
func (j *jaeger) awaitSpans(t *testing.T, service string, n int) []*span {
	t.Helper()
	var spans []*span
	err := poll(t.Context(), readTimeout, func(ctx context.Context) (err error) {
		if spans, err = j.spans(ctx, service); err != nil {
			return err
		}
		if len(spans) < n {
			return fmt.Errorf("jaeger has %d spans of service %q, want %d", len(spans), service, n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return spans
}

// spans returns all spans of a service, sorted by start.
func (j *jaeger) spans(ctx context.Context, service string) ([]*span, error) {
	now := time.Now()
	query := url.Values{
		"query.service_name":   {service},
		"query.start_time_min": {now.Add(-time.Hour).Format(time.RFC3339Nano)},
		"query.start_time_max": {now.Add(time.Hour).Format(time.RFC3339Nano)},
		"query.num_traces":     {"50000"},
	}
	return j.readSpans(ctx, "?"+query.Encode())
}

// readSpans returns the spans that a query of Jaeger's API v3 gives, sorted by
// start.
func (j *jaeger) readSpans(ctx context.Context, query string) ([]*span, error) {
	body, err := httpGet(ctx, j.queryURL+"/api/v3/traces"+query)
	var status *statusError
	if errors.As(err, &status) && status.code == http.StatusNotFound {
		return nil, nil // Jaeger's word for an empty result
	}
	if err != nil {
		return nil, err
	}
	return decodeSpans(body)
}

// decodeSpans reads an answer of Jaeger's API v3.
func decodeSpans(body []byte) ([]*span, error) {
	var answer struct{ Result otlpTraces }
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("decode jaeger's answer: %w", err)
	}
	spans := answer.Result.spans()
	for _, s := range spans {
		s.Warnings, _ = stringList(s.Attributes[warningsAttribute])
		delete(s.Attributes, warningsAttribute)
	}
	return spans, nil
}
