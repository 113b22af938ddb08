package process

import (
	"fmt"
	"testing"
	"time"
)

// One lifetime, fork to exit, among so many that go on living: all of one tree
// and one trace, or under a policy as it is in use, each with a TRACEPARENT to
// compare.
func BenchmarkTable(b *testing.B) {
	inUse := Policy{
		Session: true, Cgroup: true, Job: true, LongLived: true, LongLivedAfter: time.Hour,
		MaxSpans: 10_000, MaxAge: 24 * time.Hour,
		Extract: testExtract, Sample: func(TraceID, Remote) bool { return true },
	}
	short := inUse
	short.MinDuration, short.KeepShortErrors = time.Millisecond, true
	for _, living := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("living=%d", living), func(b *testing.B) { benchmarkTable(b, living, Policy{}, 0, 1) })
		b.Run(fmt.Sprintf("living=%d/policy", living), func(b *testing.B) { benchmarkTable(b, living, inUse, 0, 1) })
		b.Run(fmt.Sprintf("living=%d/policy,sessions", living), func(b *testing.B) { benchmarkTable(b, living, inUse, 1, 1) })
		b.Run(fmt.Sprintf("living=%d/policy,left out", living), func(b *testing.B) { benchmarkTable(b, living, short, 0, 0) })
	}
}

// What an agent does every second whose table is to outlive it.
func BenchmarkSnapshot(b *testing.B) {
	for _, living := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("living=%d", living), func(b *testing.B) {
			table := crowded(living)
			var snapshot []byte
			b.ReportAllocs()
			for b.Loop() {
				snapshot = table.AppendSnapshot(snapshot[:0])
			}
			b.ReportMetric(float64(len(snapshot)), "bytes")
		})
	}
}

// crowded is a table of processes that live.
func crowded(living int) *Table {
	table := NewTable(Limits{Processes: 1 << 20, Bytes: 1 << 30}, Policy{}, testIDs)
	for pid := range uint32(living) {
		id := ID{PID: pid + 2, Start: Time(pid)}
		table.Apply(&Event{Kind: Exec, ID: id, FirstExec: true, Image: Image{
			Filename: "/bin/sh", Executable: "/usr/bin/dash", WorkingDirectory: "/srv/build", Args: "sh\x00-c\x00make -j8\x00", ArgsCount: 3,
		}})
	}
	return table
}

// benchmarkTable gives each lifetime a session of its own where session is 1.
func benchmarkTable(b *testing.B, living int, policy Policy, session uint32, handedOut int) {
	table := NewTable(Limits{Processes: 1 << 20, Bytes: 1 << 30}, policy, testIDs)
	shell := Image{Filename: "/bin/sh", Executable: "/usr/bin/dash", WorkingDirectory: "/srv/build", Args: "sh\x00-c\x00make -j8\x00", ArgsCount: 3}
	if policy.Extract != nil {
		shell.Environment = "TRACEPARENT=0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1\x00TRACESTATE=k=v\x00"
	}
	groups := Groups{Session: 1, Group: 1, Terminal: 0x8801, Cgroup: Cgroup{V2: 7, V1: 7}}
	now := Time(1)
	var parent ID
	for pid := range uint32(living) {
		now++
		child := ID{PID: pid + 2, Start: now}
		table.Apply(&Event{Kind: Fork, At: now, ID: child, Parent: parent, Groups: groups})
		table.Apply(&Event{Kind: Exec, At: now, ID: child, Parent: parent, Groups: groups, Image: shell, FirstExec: true})
		parent = child
	}
	const pids = 1 << 22
	pid := uint32(living) + 1
	b.ReportAllocs()
	for b.Loop() {
		now++
		if pid++; pid == pids {
			pid = uint32(living) + 2
		}
		child := ID{PID: pid, Start: now}
		table.Apply(&Event{Kind: Fork, At: now, ID: child, Parent: parent, Groups: groups})
		own := groups
		own.Session += session * pid
		table.Apply(&Event{Kind: Exec, At: now, ID: child, Parent: parent, Groups: own, Image: shell, FirstExec: true})
		if len(table.Apply(&Event{Kind: Exit, At: now, ID: child, Parent: parent, Execed: true})) != handedOut {
			b.Fatal("no lifetime, or one that should be left out")
		}
	}
	if got := table.Stats().Living; got != living {
		b.Fatalf("%d living, want %d", got, living)
	}
}
