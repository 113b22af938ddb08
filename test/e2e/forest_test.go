package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// forest is a number of whole traces, each span as Jaeger's API v3 and as its
// page tell of it.
type forest struct {
	spans []*span
	rows  map[spanContext]pageSpan
}

// forest returns the traces that have a process with one of these working
// directories: a test that has its own finds its own traces, whatever else runs.
//
// Raw is before Jaeger has judged them. What it finds against a span it writes
// down in its memory, and says it for ever after: while a trace is awaited that
// is not whole yet, it must be read raw.
func (j *jaeger) forest(ctx context.Context, raw bool, service string, dirs []string) (*forest, error) {
	f := &forest{rows: map[spanContext]pageSpan{}}
	for _, dir := range dirs {
		traces, err := j.findTraces(ctx, service, dir)
		if err != nil {
			return nil, err
		}
		for _, id := range traces {
			if err := f.add(ctx, j, raw, id); err != nil {
				return nil, err
			}
		}
	}
	return f, nil
}

// findTraces returns the ids of the traces that have a process with this working
// directory.
func (j *jaeger) findTraces(ctx context.Context, service, dir string) (ids []string, err error) {
	tags, err := json.Marshal(map[string]string{"process.working_directory": dir})
	if err != nil {
		return nil, err
	}
	query := url.Values{"service": {service}, "tags": {string(tags)}, "limit": {"1000"}, "raw": {"true"}}
	body, err := httpGet(ctx, j.queryURL+"/api/traces?"+query.Encode())
	if err != nil {
		return nil, err
	}
	var found struct{ Data []struct{ TraceID string } }
	if err := json.Unmarshal(body, &found); err != nil {
		return nil, fmt.Errorf("decode jaeger's answer: %w", err)
	}
	for _, trace := range found.Data {
		ids = append(ids, trace.TraceID)
	}
	return ids, nil
}

// add reads a trace by its id.
func (f *forest) add(ctx context.Context, j *jaeger, raw bool, traceID string) error {
	page, err := j.readPage(ctx, traceID, raw)
	if err != nil {
		return err
	}
	spans, err := j.readSpans(ctx, fmt.Sprintf("/%s?raw_traces=%t", traceID, raw))
	if err != nil {
		return err
	}
	if len(page.Warnings) > 0 || len(page.Spans) != len(spans) {
		return fmt.Errorf("of trace %s the page has %d spans, and API v3 %d; it warns: %q",
			traceID, len(page.Spans), len(spans), page.Warnings)
	}
	for _, s := range spans {
		f.rows[s.context()] = page.Spans[s.SpanID]
	}
	f.spans = append(f.spans, spans...)
	return nil
}

func (s *span) context() spanContext { return spanContext{s.TraceID, s.SpanID} }

// String draws the traces, each beneath a line of its own, a span a line,
// children indented; the order is that of the text, and so equal forests give
// equal text. A span is drawn as "2x NAME (BOUNDARY of LINKED) under PARENT":
// how many there are of the same, if several; why it is in another trace than
// LINKED, if it is; and its parent, if that is not in the trace. A "?" stands
// for a span that is in none of the traces.
func (f *forest) String() string {
	known := map[spanContext]string{}
	for _, s := range f.spans {
		known[s.context()] = s.Name
	}
	name := func(c spanContext) string { return cmp.Or(known[c], "?") }
	below := map[spanContext][]*span{}
	for _, s := range f.spans {
		parent := spanContext{s.TraceID, s.ParentID}
		if known[parent] == "" {
			parent.SpanID = "" // it stands at the top
		}
		below[parent] = append(below[parent], s)
	}
	var draw func(top spanContext) string
	draw = func(top spanContext) string {
		var children []string
		for _, s := range below[top] {
			line := s.Name
			boundary, _ := s.Attributes["procspan.trace.boundary"].(string)
			for _, link := range s.Links {
				boundary += " of " + name(link)
			}
			if boundary != "" {
				line += " (" + boundary + ")"
			}
			if top.SpanID == "" && s.ParentID != "" {
				line += " under ?"
			}
			children = append(children, line+"\n"+draw(s.context()))
		}
		return fold(children)
	}
	var traces []string
	for top := range below {
		if top.SpanID == "" {
			traces = append(traces, "trace\n"+draw(top))
		}
	}
	slices.Sort(traces)
	return strings.Join(traces, "")
}

// fold sorts drawings, counts the equal ones, and indents all.
func fold(drawings []string) string {
	slices.Sort(drawings)
	var text strings.Builder
	for len(drawings) > 0 {
		n := 1
		for n < len(drawings) && drawings[n] == drawings[0] {
			n++
		}
		count := ""
		if n > 1 {
			count = fmt.Sprintf("%dx ", n)
		}
		text.WriteString("  " + count + strings.ReplaceAll(strings.TrimSuffix(drawings[0], "\n"), "\n", "\n  ") + "\n")
		drawings = drawings[n:]
	}
	return text.String()
}

// warnings returns what Jaeger holds against spans, and by which of its APIs.
func (f *forest) warnings() (list []string) {
	for _, s := range f.spans {
		for _, w := range s.Warnings {
			list = append(list, fmt.Sprintf("%s, API v3: %s", s.Name, w))
		}
		for _, w := range f.rows[s.context()].Warnings {
			list = append(list, fmt.Sprintf("%s, page: %s", s.Name, w))
		}
	}
	return list
}

// checkReferences checks that the page has each parent as CHILD_OF and each
// link as FOLLOWS_FROM, and nothing else.
func (f *forest) checkReferences(t *testing.T) {
	t.Helper()
	for _, s := range f.spans {
		var want []reference
		if s.ParentID != "" {
			want = append(want, reference{"CHILD_OF", s.TraceID, s.ParentID})
		}
		for _, link := range s.Links {
			want = append(want, reference{"FOLLOWS_FROM", link.TraceID, link.SpanID})
		}
		if got := f.rows[s.context()].References; !slices.Equal(got, want) {
			t.Errorf("%v has the references %v, want %v", s, got, want)
		}
	}
}

// find returns the one span with this name.
func (f *forest) find(t *testing.T, name string) *span {
	t.Helper()
	var found []*span
	for _, s := range f.spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d spans are called %s, want 1\n%s", len(found), name, f)
	}
	return found[0]
}

// awaitForest returns the traces of these directories once they are drawn as
// want, and checks their references. Jaeger must have nothing to say about them.
func (j *jaeger) awaitForest(t *testing.T, want, service string, dirs ...string) *forest {
	t.Helper()
	j.awaitRaw(t, want, service, dirs...)
	f, err := j.forest(t.Context(), false, service, dirs)
	if err != nil {
		t.Fatal(err)
	}
	if warnings := f.warnings(); len(warnings) > 0 {
		t.Errorf("Jaeger warns: %q\n%s", warnings, f)
	}
	f.checkReferences(t)
	return f
}

// awaitRaw waits until the traces of these directories are drawn as want.
func (j *jaeger) awaitRaw(t *testing.T, want, service string, dirs ...string) {
	t.Helper()
	want = strings.TrimPrefix(want, "\n")
	f := &forest{}
	err := poll(t.Context(), readTimeout, func(ctx context.Context) error {
		now, err := j.forest(ctx, true, service, dirs)
		if err != nil {
			return err
		}
		if f = now; f.String() != want {
			return errors.New("the traces in Jaeger are not what is awaited")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v\nJaeger has\n%s\nwant\n%s\n%s", err, f, want, describe(f.spans))
	}
}

// checkNoTrace checks that Jaeger has nothing of a trace.
func (j *jaeger) checkNoTrace(t *testing.T, traceID string) {
	t.Helper()
	page, err := j.readPage(t.Context(), traceID, true)
	var status *statusError
	if !errors.As(err, &status) || status.code != http.StatusNotFound {
		t.Errorf("Jaeger has of trace %s: %v, %v", traceID, page, err)
	}
}
