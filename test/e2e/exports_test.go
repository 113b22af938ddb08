package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// reported is a job as `procspan view -o json` tells it.
type reported struct {
	Elapsed   int64 `json:"elapsed_ns"`
	Failed    int   `json:"failed"`
	Processes []struct {
		PID      uint64   `json:"pid"`
		Name     string   `json:"name"`
		Args     []string `json:"args"`
		Start    int64    `json:"start_ns"`
		Duration int64    `json:"duration_ns"`
		User     int64    `json:"cpu_user_ns"`
		Failed   bool     `json:"failed"`
	} `json:"processes"`
	CriticalPath []struct {
		PID      uint64 `json:"pid"`
		Start    int64  `json:"start_ns"`
		Duration int64  `json:"duration_ns"`
		Proved   bool   `json:"proved"`
	} `json:"critical_path"`
}

// TestExports traces a build once. What its report says, the other tools must read
// in its exports: Jaeger by way of a Collector, and Perfetto.
func TestExports(t *testing.T) {
	requireObservable(t)
	sent := startJaeger(t)
	dir := copyProject(t)
	procspan := procspanBinary(t)
	file := func(name string) string { return filepath.Join(dir, name) }
	command := slices.Concat([]string{procspan, "exec", "--config", procspanConfig(t, sent.otlp, "", "capture: {args: full, attributes: full}"), "--report", file("job.html"), "--"}, buildCommand)
	if code, output := runCommand(t, dir, command...); code != buildExitCode {
		t.Fatalf("procspan exec ends with %d, want make's %d\n%s", code, buildExitCode, output)
	}
	mustRun(t, dir, procspan, "export", file("job.html"), file("job.jsonl"))
	mustRun(t, dir, procspan, "export", file("job.html"), file("job.pftrace"))
	_, text := runCommand(t, dir, procspan, "view", "-o", "json", file("job.html"))
	var job reported
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		t.Fatalf("procspan view -o json: %v", err)
	}
	t.Run("OTLP", func(t *testing.T) { checkJSONLines(t, sent, file("job.jsonl"), len(job.Processes)) })
	t.Run("Perfetto", func(t *testing.T) { checkPerfetto(t, job, file("job.pftrace")) })
}

// jsonLinesConfig is a Collector that reads a file, and sends what is in it on.
const jsonLinesConfig = `
service:
  pipelines:
    traces: {receivers: [json_lines], exporters: [otlp_grpc]}
  telemetry:
    metrics: {level: none}
    logs: {level: info}
receivers:
  json_lines: {path: %q}
exporters:
  otlp_grpc: {endpoint: %q, tls: {insecure: true}}
`

// notInReports are attributes that a span has and a report has no column for.
var notInReports = []string{
	"process.args_count", "process.command", "process.creation.time", "process.group_leader.pid", "process.interactive", "process.linux.cgroup",
	"process.parent_pid", "process.session_leader.pid", "process.user.id", "process.user.name",
	"procspan.context_switches.involuntary", "procspan.context_switches.voluntary", "procspan.disk.io.read", "procspan.disk.io.write",
	"procspan.paging.faults.major", "procspan.paging.faults.minor", "procspan.syscall.io.read", "procspan.syscall.io.write", "procspan.user.group.id",
}

// checkJSONLines compares the spans of the file with those that procspan sent of the
// same job.
func checkJSONLines(t *testing.T, sent *jaeger, path string, n int) {
	read := startJaeger(t)
	collector := startServer(t, "collector", collectorBinary(t), "--config", writeFile(t, "collector.yaml", fmt.Sprintf(jsonLinesConfig, path, read.otlp)))
	err := collector.awaitReady(t.Context(), func(context.Context) error {
		if !strings.Contains(collector.logTail(), "Everything is ready") {
			return errors.New("it does not say that it is ready")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]*span{}
	for _, s := range sent.awaitSpans(t, execService, n) {
		want[s.SpanID] = s
	}
	missing := map[string]bool{}
	for _, got := range read.awaitSpans(t, execService, n) {
		s := want[got.SpanID]
		if s == nil {
			t.Errorf("%v was not sent, or is there twice", got)
			continue
		}
		delete(want, got.SpanID)
		if got.TraceID != s.TraceID || got.ParentID != s.ParentID || got.Name != s.Name || got.Kind != s.Kind || got.StatusCode != s.StatusCode ||
			!got.Start.Equal(s.Start) || !got.End.Equal(s.End) || len(got.Events) != len(s.Events) {
			t.Errorf("%v in the file: %+v\nsent: %+v", s, got, s)
		}
		for key, value := range got.Attributes {
			if !reflect.DeepEqual(value, s.Attributes[key]) {
				t.Errorf("%v: %s is %v in the file, and %v was sent", s, key, value, s.Attributes[key])
			}
		}
		for key := range s.Attributes {
			if _, ok := got.Attributes[key]; !ok {
				missing[key] = true
			}
		}
	}
	for _, s := range want {
		t.Errorf("%v is not in the file", s)
	}
	for key := range missing {
		if !slices.Contains(notInReports, key) {
			t.Errorf("spans of the file lack %s", key)
		}
	}
}

// checkPerfetto reads a trace by Perfetto's published messages: every process is a
// slice of its length on a track where no two overlap.
func checkPerfetto(t *testing.T, job reported, path string) {
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{ImportPaths: []string{"testdata/perfetto"}}}
	files, err := compiler.Compile(t.Context(), "trace.proto")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	trace := dynamicpb.NewMessage(files[0].Messages().ByName("Trace"))
	if err := proto.Unmarshal(b, trace); err != nil {
		t.Fatal(err)
	}
	r := &perfettoReader{t: t, names: map[uint64]string{}, keys: map[uint64]string{}, tracks: map[uint64]string{}, open: map[uint64]*slice{}}
	packets := get(trace, "packet").List()
	for i := range packets.Len() {
		r.packet(packets.Get(i).Message())
	}
	for track, s := range r.open {
		if s != nil {
			t.Errorf("slice %s of track %q has no end", s.name, r.tracks[track])
		}
	}

	byKind := map[string][]slice{}
	sum := uint64(0)
	for _, s := range r.slices {
		kind, _, _ := strings.Cut(s.track, " ")
		byKind[kind] = append(byKind[kind], s)
		if kind == "lane" {
			sum += s.to - s.from
		}
	}
	const origin = 1_000_000_000
	want, wanted := uint64(0), map[string]int{}
	for _, p := range job.Processes {
		want += uint64(p.Duration)
		wanted[fmt.Sprint(p.Name, p.PID, p.Start+origin, p.Duration, p.Args)]++
	}
	if sum != want || len(byKind["lane"]) != len(job.Processes) {
		t.Errorf("%d slices of %d ns, want %d of %d ns", len(byKind["lane"]), sum, len(job.Processes), want)
	}
	for _, s := range byKind["lane"] {
		key := fmt.Sprint(s.name, s.details["process.pid"], s.from, s.to-s.from, s.details["process.command_args"])
		if wanted[key]--; wanted[key] < 0 {
			t.Errorf("no process is %s", key)
		}
	}
	path0 := byKind["critical"]
	if len(path0) != len(job.CriticalPath) {
		t.Errorf("the path has %d slices, want %d", len(path0), len(job.CriticalPath))
	}
	for i, s := range job.CriticalPath {
		if got := path0[i]; got.from != uint64(s.Start+origin) || got.to-got.from != uint64(s.Duration) || got.details["process.pid"] != s.PID || got.details["proved"] != s.Proved {
			t.Errorf("segment %d of the path is %+v, want %+v", i, got, s)
		}
	}
	if r.instants != job.Failed || r.counters == 0 {
		t.Errorf("%d instants, want %d failures; %d values of counters", r.instants, job.Failed, r.counters)
	}
}

// slice is a slice of a Perfetto trace.
type slice struct {
	track, name string
	from, to    uint64
	details     map[string]any
}

// perfettoReader gathers what a trace holds.
type perfettoReader struct {
	t                  *testing.T
	names, keys        map[uint64]string
	tracks             map[uint64]string
	open               map[uint64]*slice // by track
	slices             []slice
	instants, counters int
	cleared            bool
}

// get returns a field by its name.
func get(m protoreflect.Message, field protoreflect.Name) protoreflect.Value {
	return m.Get(m.Descriptor().Fields().ByName(field))
}

func has(m protoreflect.Message, field protoreflect.Name) bool {
	return m.Has(m.Descriptor().Fields().ByName(field))
}

// known fails the test if a message holds a field of a number or type that is not
// published.
func (r *perfettoReader) known(m protoreflect.Message) {
	if len(m.GetUnknown()) > 0 {
		r.t.Errorf("a %s has fields that Perfetto does not know: %x", m.Descriptor().Name(), m.GetUnknown())
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				r.known(v.List().Get(i).Message())
			}
		case f.Enum() != nil && f.Enum().Values().ByNumber(v.Enum()) == nil:
			r.t.Errorf("%s is %d, which is no value of it", f.FullName(), v.Enum())
		case f.Message() != nil:
			r.known(v.Message())
		}
		return true
	})
}

func (r *perfettoReader) packet(p protoreflect.Message) {
	r.known(p)
	if get(p, "trusted_packet_sequence_id").Uint() == 0 {
		r.t.Error("a packet has no sequence")
	}
	if has(p, "track_descriptor") {
		d := get(p, "track_descriptor").Message()
		id, parent := get(d, "uuid").Uint(), get(d, "parent_uuid").Uint()
		if _, twice := r.tracks[id]; twice || parent != 0 && r.tracks[parent] == "" {
			r.t.Errorf("track %d is there twice, or before its parent %d", id, parent)
		}
		r.tracks[id] = get(d, "name").String()
		return
	}
	const cleared, needed = 1, 2
	flags := get(p, "sequence_flags").Uint()
	if r.cleared = r.cleared || flags&cleared != 0; !r.cleared || flags&needed == 0 {
		r.t.Error("a packet with interned names does not say that it needs them, or comes before the first")
	}
	interned := get(p, "interned_data").Message()
	for field, names := range map[protoreflect.Name]map[uint64]string{"event_names": r.names, "debug_annotation_names": r.keys} {
		list := get(interned, field).List()
		for i := range list.Len() {
			names[get(list.Get(i).Message(), "iid").Uint()] = get(list.Get(i).Message(), "name").String()
		}
	}
	r.event(get(p, "timestamp").Uint(), get(p, "track_event").Message())
}

func (r *perfettoReader) event(at uint64, e protoreflect.Message) {
	id := get(e, "track_uuid").Uint()
	track, ok := r.tracks[id]
	if !ok {
		r.t.Errorf("an event is on track %d, which is not described before it", id)
	}
	switch kind := get(e, "type").Enum(); kind {
	case 1: // TYPE_SLICE_BEGIN
		if r.open[id] != nil {
			r.t.Errorf("%q: a slice begins inside of another", track)
		}
		s := &slice{track: track, name: r.names[get(e, "name_iid").Uint()], from: at, details: map[string]any{}}
		list := get(e, "debug_annotations").List()
		for i := range list.Len() {
			a := list.Get(i).Message()
			s.details[r.keys[get(a, "name_iid").Uint()]] = annotationValue(a)
		}
		if s.name == "" || s.details[""] != nil {
			r.t.Errorf("%q: a slice or a detail has no name: %+v", track, s)
		}
		r.open[id] = s
	case 2: // TYPE_SLICE_END
		s := r.open[id]
		if s == nil || s.from > at {
			r.t.Fatalf("%q: an end at %d has no begin before it: %+v", track, at, s)
		}
		s.to = at
		r.slices, r.open[id] = append(r.slices, *s), nil
	case 3: // TYPE_INSTANT
		r.instants++
	case 4: // TYPE_COUNTER
		if !has(e, "double_counter_value") || get(e, "double_counter_value").Float() < 0 {
			r.t.Errorf("%q: a counter has no value", track)
		}
		r.counters++
	default:
		r.t.Errorf("an event is of type %d", kind)
	}
}

// annotationValue is a string, number, bool or list.
func annotationValue(a protoreflect.Message) any {
	if which := a.WhichOneof(a.Descriptor().Oneofs().ByName("value")); which != nil {
		return a.Get(which).Interface()
	}
	list, all := get(a, "array_values").List(), []string{}
	for i := range list.Len() {
		all = append(all, get(list.Get(i).Message(), "string_value").String())
	}
	return all
}
