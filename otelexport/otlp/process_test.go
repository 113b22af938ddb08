package otlp

import (
	"maps"
	"strings"
	"testing"

	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/process"
)

// What is not known is absent, and so is what repeats something else.
func TestFacts(t *testing.T) {
	for _, tc := range []struct {
		name string
		l    process.Lifetime
		want map[string]any
	}{
		{"nothing known", process.Lifetime{}, map[string]any{}},
		{"credentials of a process whose exec was not seen", process.Lifetime{Credentials: process.Credentials{EffectiveUser: 0}}, map[string]any{}},
		{"root", process.Lifetime{VPID: 7}, map[string]any{
			"process.user.id": int64(0), "process.user.name": "root", "procspan.user.group.id": int64(0)}},
		{"a user without a name", process.Lifetime{VPID: 7, Credentials: process.Credentials{RealUser: 5, EffectiveUser: 5, SavedUser: 5}}, map[string]any{
			"process.user.id": int64(5), "procspan.user.group.id": int64(0)}},
		{"setuid", process.Lifetime{VPID: 7, Credentials: process.Credentials{RealUser: 1000}}, map[string]any{
			"process.user.id": int64(0), "process.user.name": "root", "procspan.user.group.id": int64(0),
			"process.real_user.id": int64(1000), "process.real_user.name": "ann"}},
		{"the highest user", process.Lifetime{VPID: 7, Credentials: process.Credentials{RealUser: 1<<32 - 1, EffectiveUser: 1<<32 - 1, SavedUser: 1<<32 - 1}}, map[string]any{
			"process.user.id": int64(1<<32 - 1), "procspan.user.group.id": int64(0)}},
		{"pid namespace", process.Lifetime{VPID: 1}, map[string]any{
			"process.vpid": int64(1), "process.user.id": int64(0), "process.user.name": "root", "procspan.user.group.id": int64(0)}},
		{"a mount namespace", process.Lifetime{Namespaces: process.Namespaces{Mount: 4026532001}}, map[string]any{
			"procspan.namespace.mnt": int64(4026532001)}},
		{"no terminal", process.Lifetime{Groups: process.Groups{Session: 3, Group: 4}}, map[string]any{
			"process.session_leader.pid": int64(3), "process.group_leader.pid": int64(4), "process.interactive": false}},
		{"terminal", process.Lifetime{Groups: process.Groups{Session: 3, Group: 4, Terminal: 0x8800}}, map[string]any{
			"process.session_leader.pid": int64(3), "process.group_leader.pid": int64(4), "process.interactive": true}},
		{"little used", process.Lifetime{Usage: process.Usage{SystemTime: 1}}, map[string]any{
			"procspan.cpu.time.user": 0.0, "procspan.cpu.time.system": 1e-9}},
		{"did not wait", process.Lifetime{Usage: process.Usage{RunDelayKnown: true}, ParentWaiting: process.No}, map[string]any{
			"procspan.cpu.time.user": 0.0, "procspan.cpu.time.system": 0.0, "procspan.cpu.wait.time": 0.0, "procspan.parent.waiting": false}},
		{"waited, and was waited for", process.Lifetime{Usage: process.Usage{RunDelay: 5e8, RunDelayKnown: true}, ParentWaiting: process.Yes}, map[string]any{
			"procspan.cpu.time.user": 0.0, "procspan.cpu.time.system": 0.0, "procspan.cpu.wait.time": 0.5, "procspan.parent.waiting": true}},
		{"more than fits", process.Lifetime{Usage: process.Usage{PeakRSS: 1 << 63, ReadChars: 1<<64 - 1}}, map[string]any{
			"procspan.cpu.time.user": 0.0, "procspan.cpu.time.system": 0.0, "procspan.memory.peak_rss": int64(1<<63 - 1),
			"procspan.syscall.io.read": int64(1<<63 - 1)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.l.ID = process.ID{PID: 7, Start: second}
			got := values(spanOf(t, testEncoder(t, fullCapture), &tc.l).Attributes)
			for key, always := range map[string]any{
				"process.pid": int64(7), "process.creation.time": "2026-01-01T00:00:01.000000000Z",
				"process.exit.code": int64(0), "process.linux.cgroup": "/user.slice/session-1.scope",
			} {
				tc.want[key] = always
			}
			if !maps.Equal(got, tc.want) {
				t.Errorf("got  %v\nwant %v", got, tc.want)
			}
		})
	}
}

func TestExpected(t *testing.T) {
	span := spanOf(t, testEncoder(t, fullCapture), &process.Lifetime{Status: 1 << 8, Expected: true})
	got := values(span.Attributes)
	if span.Status != nil || got["error.type"] != nil || got["process.exit.code"] != int64(1) || got["procspan.exit.expected"] != true {
		t.Errorf("got status %v and %v, want no error and the exit code", span.Status, got)
	}
}

// mask is a redactor that shows which of its methods saw what.
type mask struct{}

func (mask) Args(args string) string { return strings.ReplaceAll(args, "secret", "ARG") }

func (mask) Variable(name, value string) string { return name + " of " + value }

// Nothing gets past the redactor: not argv[0], not an exec after the first, not a
// log record.
func TestRedaction(t *testing.T) {
	im := process.Image{Args: "secretd\x00--key=secret\x00\x00", ArgsCount: 3, Environment: "CI=secret\x00"}
	l := &process.Lifetime{Image: im, Reexecs: []process.Reexec{{To: im}}}
	for _, tc := range []struct {
		policy config.ArgsPolicy
		args   any
	}{
		{config.ArgsOff, nil},
		{config.ArgsRedacted, "ARGd|--key=ARG|"},
		{config.ArgsFull, "secretd|--key=secret|"},
	} {
		t.Run(string(tc.policy), func(t *testing.T) {
			e := testEncoder(t, config.Capture{Attributes: fullCapture.Attributes, Args: tc.policy})
			e.redactor = mask{}
			span := spanOf(t, e, l)
			wire, err := e.ExitRecord(l)
			exit := decodeRecord(t, wire, err)
			wire, err = encodeExec(e, &process.Event{Image: im}, process.SpanContext{}, process.ID{})
			exec := decodeRecord(t, wire, err)
			for name, got := range map[string]map[string]any{
				"span": values(span.Attributes), "exit": values(exit.Attributes), "exec": values(exec.Attributes),
				"event": values(span.Events[0].Attributes),
			} {
				command := "ARGd"
				if tc.policy == config.ArgsFull {
					command = "secretd"
				}
				if got["process.command"] != command || got["process.command_args"] != tc.args {
					t.Errorf("%s: got %v", name, got)
				}
				if v := got["process.environment_variable.CI"]; name != "event" && v != "CI of secret" {
					t.Errorf("%s: got variable %v", name, v)
				}
			}
		})
	}
}

// Under another root directory users have their names there, and not here.
func TestUsersElsewhere(t *testing.T) {
	e := testEncoder(t, fullCapture)
	for _, elsewhere := range []bool{false, true} {
		l := fullLifetime()
		l.Credentials.OtherRoot = elsewhere
		got := values(spanOf(t, e, l).Attributes)
		for _, user := range []string{"process.user", "process.real_user", "process.saved_user"} {
			if _, named := got[user+".name"]; named == elsewhere || got[user+".id"] == nil {
				t.Errorf("elsewhere %t: %s.id is %v, and %[2]s.name is %v", elsewhere, user, got[user+".id"], got[user+".name"])
			}
		}
	}
}
