package otlp

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

func TestSpanGolden(t *testing.T) {
	wantGolden(t, "span.json", asJSON(t, spanOf(t, testEncoder(t, fullCapture), fullLifetime())))
}

func TestSpanOutcome(t *testing.T) {
	for _, tc := range []struct {
		name    string
		status  process.Status
		message string // "" for status Unset
		want    map[string]any
	}{
		{"exit 0", 0, "", map[string]any{"process.exit.code": int64(0)}},
		{"exit 3", 3 << 8, "exit code 3", map[string]any{"process.exit.code": int64(3), "error.type": "3"}},
		{"exit 255", 255 << 8, "exit code 255", map[string]any{"process.exit.code": int64(255), "error.type": "255"}},
		{"SIGKILL", 9, "killed by SIGKILL", map[string]any{"process.exit.code": int64(137), "error.type": "SIGKILL",
			"procspan.exit.signal": "SIGKILL", "procspan.exit.core_dumped": false}},
		{"SIGSEGV with core", 11 | 0x80, "killed by SIGSEGV (core dumped)", map[string]any{"process.exit.code": int64(139),
			"error.type": "SIGSEGV", "procspan.exit.signal": "SIGSEGV", "procspan.exit.core_dumped": true}},
		{"real-time signal", 37, "killed by SIGRTMIN+3", map[string]any{"process.exit.code": int64(165), "error.type": "SIGRTMIN+3",
			"procspan.exit.signal": "SIGRTMIN+3", "procspan.exit.core_dumped": false}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// All that is known of a process older than the agent.
			span := spanOf(t, testEncoder(t, fullCapture), &process.Lifetime{
				ID: process.ID{PID: 7, Start: second}, Start: second, End: 2 * second, Comm: "old", Status: tc.status,
			})
			tc.want["process.pid"] = int64(7)
			tc.want["process.linux.cgroup"] = "/user.slice/session-1.scope"
			tc.want["process.creation.time"] = "2026-01-01T00:00:01.000000000Z"
			if got := values(span.Attributes); !maps.Equal(got, tc.want) {
				t.Errorf("attributes:\ngot  %v\nwant %v", got, tc.want)
			}
			if got := span.GetStatus().GetMessage(); got != tc.message {
				t.Errorf("status message: got %q, want %q", got, tc.message)
			}
			if got, want := span.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR, tc.message != ""; got != want {
				t.Errorf("status Error: got %v, want %v", got, want)
			}
			if span.Name != "old" || span.ParentSpanId != nil {
				t.Errorf("got name %q and parent %x, want old and none", span.Name, span.ParentSpanId)
			}
		})
	}
}

func TestSpanCapture(t *testing.T) {
	for _, tc := range []struct {
		name    string
		capture config.Capture
		absent  []string
	}{
		{"all", fullCapture, nil},
		{"args off", config.Capture{Attributes: fullCapture.Attributes, Args: config.ArgsOff, WorkingDirectory: true, Baggage: true}, []string{"process.command_args", "procspan.args.truncated"}},
		{"no working directory", config.Capture{Attributes: fullCapture.Attributes, Args: config.ArgsFull, Baggage: true}, []string{"process.working_directory"}},
		{"no baggage", config.Capture{Attributes: fullCapture.Attributes, Args: config.ArgsFull, WorkingDirectory: true}, []string{"procspan.baggage.build", "procspan.baggage.user"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := values(spanOf(t, testEncoder(t, fullCapture), fullLifetime()).Attributes)
			span := spanOf(t, testEncoder(t, tc.capture), fullLifetime())
			for _, key := range tc.absent {
				delete(all, key)
			}
			if got := values(span.Attributes); !maps.Equal(got, all) {
				t.Errorf("got %v, want %v", got, all)
			}
			if _, ok := values(span.Events[0].Attributes)["process.command_args"]; ok != (tc.capture.Args == config.ArgsFull) {
				t.Errorf("command_args on the exec event: got %v", ok)
			}
		})
	}
}

// The encoder uses its memory again: nothing of one span may show in the next.
func TestSpansAreIndependent(t *testing.T) {
	bare := &process.Lifetime{ID: process.ID{PID: 7, Start: second}, Start: second, End: second}
	e := testEncoder(t, fullCapture)
	want, err := encodeSpan(e, bare)
	if err != nil {
		t.Fatal(err)
	}
	want = slices.Clone(want)
	if _, err := encodeSpan(e, fullLifetime()); err != nil {
		t.Fatal(err)
	}
	got, err := encodeSpan(e, bare)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// Whatever the process, its span and records can be sent and are in order.
func FuzzSpan(f *testing.F) {
	full := fullLifetime()
	f.Add(full.ID.PID, uint64(full.ID.Start), uint64(full.Start), uint64(full.End), full.Image.Args, full.Image.Executable, full.Image.WorkingDirectory, full.Comm, full.Image.Environment, int32(full.Status), true, uint64(full.Reexecs[0].At), 3, uint32(1000))
	f.Add(uint32(0), uint64(0), uint64(0), uint64(0), "", "", "", "", "", int32(0), false, uint64(0), -1, uint32(0))
	f.Add(uint32(1), ^uint64(0), ^uint64(0), uint64(0), "\xff", "\xff/", "\x00", "\xff", "CI=1\x00CI=\xff", int32(-1), true, ^uint64(0), 1<<40, ^uint32(0))
	f.Fuzz(func(t *testing.T, pid uint32, created, start, end uint64, args, exe, cwd, comm, env string, status int32, flag bool, at uint64, n int, id uint32) {
		im := process.Image{Filename: exe, Executable: exe, WorkingDirectory: cwd, Args: args, ArgsCount: n, ArgsCut: flag, PathCut: flag, Environment: env, EnvironmentCut: flag}
		l := &process.Lifetime{
			ID: process.ID{PID: pid, Start: process.Time(created)}, Root: process.ID{PID: pid, Start: process.Time(end)}, ParentPID: pid,
			Start: process.Time(start), End: process.Time(end), StartEstimated: flag, Comm: comm, Image: im, Status: process.Status(status),
			Reexecs: []process.Reexec{{At: process.Time(at), From: cwd, To: im}, {To: im}}, ReexecsDropped: n,
			Groups: process.Groups{Session: id, Group: pid, Terminal: id}, VPID: id, Filtered: n,
			Credentials: process.Credentials{RealUser: id, SavedGroup: id}, Expected: flag,
			Usage:  process.Usage{UserTime: time.Duration(at), SystemTime: time.Duration(n), PeakRSS: at, ReadBytes: created},
			Killer: process.Killer{ID: process.ID{PID: id}, Comm: comm}, OOM: process.OOM{Killed: flag, Limit: end},
		}
		e := testEncoder(t, fullCapture)
		span := spanOf(t, e, l)
		wire, err := e.ExitRecord(l)
		exit := decodeRecord(t, wire, err)
		wire, err = encodeExec(e, &process.Event{Kind: process.Exec, At: process.Time(at), ID: l.ID, Comm: comm, Image: im, Groups: l.Groups, VPID: id}, l.Context, l.Root)
		exec := decodeRecord(t, wire, err)
		if span.StartTimeUnixNano > span.EndTimeUnixNano {
			t.Errorf("start %d is after end %d", span.StartTimeUnixNano, span.EndTimeUnixNano)
		}
		if len(span.SpanId) != 8 || len(span.TraceId) != 16 || span.Name == "" || len(span.Events) != 2 {
			t.Errorf("incomplete: span id %x, trace id %x, name %q, %d events", span.SpanId, span.TraceId, span.Name, len(span.Events))
		}
		for _, m := range []proto.Message{span, span.Events[0], span.Events[1]} {
			if unknown := m.ProtoReflect().GetUnknown(); len(unknown) > 0 {
				t.Errorf("malformed attributes: %x", unknown)
			}
		}
		for _, list := range [][]*commonpb.KeyValue{span.Attributes, span.Events[0].Attributes, exit.Attributes, exec.Attributes} {
			keys := map[string]bool{}
			for _, kv := range list {
				if keys[kv.Key] {
					t.Errorf("attribute %s twice", kv.Key)
				}
				keys[kv.Key] = true
			}
		}
	})
}

// BenchmarkEncode encodes a span with what the kernel tells at the exec, and one
// with all that it tells by the end.
func BenchmarkEncode(b *testing.B) {
	for _, bc := range []struct {
		name string
		l    *process.Lifetime
	}{{"exec", commonLifetime()}, {"all", busyLifetime()}} {
		b.Run(bc.name, func(b *testing.B) {
			e := testEncoder(b, fullCapture)
			b.ReportAllocs()
			var size int
			for b.Loop() {
				wire, err := encodeSpan(e, bc.l)
				if err != nil {
					b.Fatal(err)
				}
				size = len(wire)
			}
			b.ReportMetric(float64(size), "B/span")
		})
	}
}
