package otlp

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

// stars stands for a redactor.
type stars struct{}

func (stars) Args(args string) string { return strings.ReplaceAll(args, "secret", "***") }
func (stars) Variable(_ string, value string) string {
	return strings.ReplaceAll(value, "secret", "***")
}

func treated(t *process.Treatment) *process.Lifetime {
	return &process.Lifetime{
		Image: process.Image{
			Filename: "/usr/local/bin/build.py", Executable: "/usr/bin/python3.11", ArgsCount: 5,
			Args: "python3\x00/usr/local/bin/build.py\x00-p\x00secret\x00a\nb \x00",
		},
		Treatment: t,
	}
}

func TestSpanNames(t *testing.T) {
	long := treated(&process.Treatment{SpanName: "command"})
	long.Image.Args = "cc\x00" + strings.Repeat("é", 200) + "\x00"
	for name, tt := range map[string]struct {
		l      *process.Lifetime
		policy config.ArgsPolicy
		want   string
	}{
		"as configured":        {treated(nil), config.ArgsRedacted, "build.py"},
		"script":               {treated(&process.Treatment{SpanName: "script"}), config.ArgsRedacted, "build.py"},
		"executable":           {treated(&process.Treatment{SpanName: "executable"}), config.ArgsRedacted, "python3.11"},
		"argv0":                {treated(&process.Treatment{SpanName: "argv0"}), config.ArgsRedacted, "python3"},
		"command":              {treated(&process.Treatment{SpanName: "command"}), config.ArgsRedacted, "build.py /usr/local/bin/build.py -p *** a b"},
		"command, full":        {treated(&process.Treatment{SpanName: "command"}), config.ArgsFull, "build.py /usr/local/bin/build.py -p secret a b"},
		"command without":      {treated(&process.Treatment{SpanName: "command"}), config.ArgsOff, "build.py"},
		"command, off by rule": {treated(&process.Treatment{SpanName: "command", Args: "off"}), config.ArgsFull, "build.py"},
		"command, few":         {treated(&process.Treatment{SpanName: "command", DropAfter: 1}), config.ArgsFull, "build.py"},
		"command, long":        {long, config.ArgsRedacted, "build.py " + strings.Repeat("é", 70) + "…"},
		"fixed":                {treated(&process.Treatment{FixedName: "a build"}), config.ArgsRedacted, "a build"},
	} {
		t.Run(name, func(t *testing.T) {
			e := testEncoder(t, config.Capture{Attributes: fullCapture.Attributes, Args: tt.policy})
			e.redactor = stars{}
			s := spanOf(t, e, tt.l)
			if s.Name != tt.want || utf8.RuneCountInString(s.Name) > maxCommand {
				t.Errorf("got %q, want %q", s.Name, tt.want)
			}
		})
	}
}

func TestTreatment(t *testing.T) {
	e := testEncoder(t, config.Capture{Attributes: fullCapture.Attributes, Args: config.ArgsRedacted})
	e.redactor = stars{}
	for name, tt := range map[string]struct {
		t    *process.Treatment
		want string
		cut  any
	}{
		"as configured":  {nil, "python3|/usr/local/bin/build.py|-p|***|a\nb ", nil},
		"off":            {&process.Treatment{Args: "off"}, "", nil},
		"full":           {&process.Treatment{Args: "full"}, "python3|/usr/local/bin/build.py|-p|secret|a\nb ", nil},
		"drop after":     {&process.Treatment{DropAfter: 2}, "python3|/usr/local/bin/build.py", true},
		"drop after all": {&process.Treatment{DropAfter: 5}, "python3|/usr/local/bin/build.py|-p|***|a\nb ", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := values(spanOf(t, e, treated(tt.t)).Attributes)
			if list, _ := got["process.command_args"].(string); list != tt.want || got["procspan.args.truncated"] != tt.cut {
				t.Errorf("got %q, cut %v, want %q", list, got["procspan.args.truncated"], tt.want)
			}
		})
	}
	set := &process.Treatment{Set: []process.Setting{{Name: "team", Value: "core"}, {Name: "bad", Value: "\xff"}}}
	if got := values(spanOf(t, e, treated(set)).Attributes); got["team"] != "core" || got["bad"] != "\uFFFD" {
		t.Errorf("span has %v", got)
	}
	wire, err := e.ExecRecord(&process.Event{}, process.SpanContext{}, process.ID{}, testResource, set)
	if got := values(decodeRecord(t, wire, err).Attributes); got["team"] != "core" {
		t.Errorf("record has %v", got)
	}
}

// A rule can select another profile, for one process and its records alone.
func TestTreatedProfile(t *testing.T) {
	e := testEncoder(t, fullCapture)
	count := func(profile string) (span, event, record int) {
		l := fullLifetime()
		l.Treatment = &process.Treatment{Attributes: profile}
		s := spanOf(t, e, l)
		wire, err := e.ExecRecord(fullEvent(), process.SpanContext{}, process.ID{}, testResource, l.Treatment)
		return len(s.Attributes), len(s.Events[0].Attributes), len(decodeRecord(t, wire, err).Attributes)
	}
	fullSpan, fullEvent, fullRecord := count("full")
	span, event, record := count("minimal")
	if span >= fullSpan || event >= fullEvent || record >= fullRecord {
		t.Errorf("minimal has %d, %d and %d attributes, full %d, %d and %d", span, event, record, fullSpan, fullEvent, fullRecord)
	}
	if again, _, _ := count(""); again != fullSpan {
		t.Errorf("without a rule: %d attributes, want %d", again, fullSpan)
	}
}

// TestTreatedResource: each distinct set of attributes is one resource, with those of
// the workload; a service of rules has no version of procspan's.
func TestTreatedResource(t *testing.T) {
	w := testWorkloads(config.ServiceNameUnit)
	w.Named(7, "/system.slice/runner.service")
	in, image := process.Cgroup{V2: 7, V1: 7}, &process.Image{}
	of := func(job string) *Resource {
		return w.Of(in, image, &process.Treatment{Resource: []process.Setting{{Name: "service.name", Value: job}, {Name: "service.namespace", Value: "ci"}}})
	}
	build, test := of("build"), of("test")
	if build == test || of("build") != build || w.Of(in, image, nil) == build {
		t.Error("resources are not one for each set")
	}
	got := resourceAttributes(t, build)
	if got["service.name"] != "build" || got["service.namespace"] != "ci" || got["procspan.systemd.unit"] != "runner.service" || got["service.version"] != nil || got["host.name"] != "h" {
		t.Errorf("got %v", got)
	}
	for i := range 100_000 {
		of(strings.Repeat("x", 200) + string(rune(i)))
	}
	if n := w.known.bytes; n > 2*maxWorkloadBytes || len(w.known.young)+len(w.known.old) > 2*maxWorkloads+2 {
		t.Errorf("%d bytes of resources, %d resources are remembered", n, len(w.known.young)+len(w.known.old))
	}
}
