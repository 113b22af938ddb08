package process

import (
	"testing"
	"time"
)

func TestUsageSince(t *testing.T) {
	const ms = time.Millisecond
	whole := Usage{
		UserTime: 30 * ms, SystemTime: 10 * ms, PeakRSS: 100, ImagePeakRSS: 40,
		MinorFaults: 50, MajorFaults: 6, Voluntary: 7, Involuntary: 8,
		ReadBytes: 9, WriteBytes: 10, ReadChars: 11, WriteChars: 12,
		RunDelay: 5 * ms, RunDelayKnown: true,
	}
	change := func(u Usage, changes ...func(*Usage)) Usage {
		for _, c := range changes {
			c(&u)
		}
		return u
	}
	for _, tc := range []struct {
		name                string
		whole, before, want Usage
	}{
		{"nothing before", whole, Usage{RunDelayKnown: true}, whole},
		{"all of it before", whole, whole, Usage{PeakRSS: 40, ImagePeakRSS: 40, RunDelayKnown: true}},
		{"some before", whole, Usage{
			UserTime: 20 * ms, PeakRSS: 99, MinorFaults: 20, MajorFaults: 1, Voluntary: 2, Involuntary: 3,
			ReadBytes: 4, WriteBytes: 5, ReadChars: 6, WriteChars: 7, RunDelay: 2 * ms,
		}, Usage{
			UserTime: 10 * ms, SystemTime: 10 * ms, PeakRSS: 100, ImagePeakRSS: 40,
			MinorFaults: 30, MajorFaults: 5, Voluntary: 5, Involuntary: 5,
			ReadBytes: 5, WriteBytes: 5, ReadChars: 5, WriteChars: 5, RunDelay: 3 * ms, RunDelayKnown: true,
		}},
		{
			"a peak that cannot be told apart", change(whole, func(u *Usage) { u.ImagePeakRSS = 0 }), Usage{PeakRSS: 100},
			change(whole, func(u *Usage) { u.PeakRSS, u.ImagePeakRSS = 0, 0 }),
		},
		{
			"ticks that came late", Usage{UserTime: 0, SystemTime: 12 * ms}, Usage{UserTime: 2 * ms},
			Usage{SystemTime: 10 * ms},
		},
		{"more before than after", Usage{UserTime: ms}, Usage{UserTime: 2 * ms, RunDelay: ms, Voluntary: 1}, Usage{}},
	} {
		if got := tc.whole.Since(tc.before); got != tc.want {
			t.Errorf("%s:\n%+v, want\n%+v", tc.name, got, tc.want)
		}
	}
}

// A lifetime excludes the usage before the first exec, and includes that between two
// execs.
func TestUsageBeforeTheFirstExec(t *testing.T) {
	used := func(faults uint64) Usage { return Usage{MinorFaults: faults} }
	id, parent := ID{PID: 10, Start: 100}, ID{PID: 1, Start: 1}
	exec := func(at Time, execID uint64, u Usage) *Event {
		return &Event{Kind: Exec, At: at, ID: id, Parent: parent, ExecID: execID, FirstExec: execID == 2, Usage: u,
			Image: Image{Filename: "/bin/a", Executable: "/bin/a"}}
	}
	exit := &Event{Kind: Exit, At: 130, ID: id, Parent: parent, ExecID: 3, Execed: true, Usage: used(100)}
	fork := &Event{Kind: Fork, At: 100, ID: id, Parent: parent, ExecID: 1}
	for _, tc := range []struct {
		name   string
		events []*Event
		want   uint64
	}{
		{"one exec", []*Event{fork, exec(110, 2, used(10)), exit}, 90},
		{"a second exec", []*Event{fork, exec(110, 2, used(10)), exec(120, 3, used(60)), exit}, 90},
		{"the first exec is lost", []*Event{fork, exec(120, 3, used(60)), exit}, 100},
		{"all execs are lost", []*Event{fork, exit}, 100},
		{"the fork is lost", []*Event{exec(110, 2, used(10)), exit}, 90},
	} {
		table := NewTable(Limits{Processes: 10, Bytes: 1 << 20}, Policy{}, IDs{})
		var got []*Lifetime
		for _, ev := range tc.events {
			got = append(got, table.Apply(ev)...)
		}
		if len(got) != 1 || got[0].Usage.MinorFaults != tc.want {
			t.Errorf("%s: %+v, want one lifetime with %d faults", tc.name, got, tc.want)
		}
	}
}
