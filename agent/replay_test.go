package agent

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/procspan/procspan/bpf"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
)

// replay is a flow without a kernel.
type replay struct {
	t         testing.TB
	decoder   *bpf.Decoder
	flow      flow
	templates []recorded
	ring      *fakeRing
	later     bool // records are not read yet
	pipeline
	pid uint32
	now process.Time
}

// recorded is one lifetime.
type recorded struct {
	fork, exec, exit []byte
	digits           [][]byte // of exec: what makes its arguments its own
}

func newReplay(t testing.TB, p pipeline, clock *otelexport.Clock, exporter *otelexport.Exporter, o Options) *replay {
	t.Helper()
	c, ids := o.Config, process.NewIDs("test")
	policy := policyOf(t, c)
	limits := process.Limits{Processes: c.Kernel.MaxProcesses, Bytes: maxImageBytes}
	r := &replay{t: t, decoder: bpf.NewDecoder(), templates: readStorm(t), ring: &fakeRing{}, pipeline: p, now: 1}
	r.flow = flow{
		log: o.Log, clock: clock, policy: policy, limits: limits, ids: ids,
		table:    process.NewTable(limits, policy, ids),
		out:      exportOutput{exporter},
		losses:   newLossLog(o.Log),
		ringSize: uint64(c.Kernel.RingBytes(2)),
	}
	if !p.bare {
		for id := range uint64(cgroups) {
			r.flow.out.named(2+id, fmt.Sprintf("/system.slice/job-%d.service", id))
		}
	}
	r.pid = 2
	for i := range p.living {
		t := &r.templates[i%len(r.templates)]
		r.begin(t, process.ID{PID: r.pid, Start: r.now}, process.ID{PID: 1, Start: 1}, r.pid, i)
		r.pid++
	}
	return r
}

// cgroups is in how many control groups the living are.
const cgroups = 50

// lifetime replays one, the n-th.
func (r *replay) lifetime(n int) {
	t := &r.templates[n%len(r.templates)]
	if r.pid++; r.pid == 1<<22 {
		r.pid = uint32(r.living) + 2
	}
	which := n * 7919 % r.living // 7919 is prime
	parent := process.ID{PID: 2 + uint32(which), Start: 1 + process.Time(which)}
	id := process.ID{PID: r.pid, Start: r.now}
	if n%100_000 == 0 && !r.later { // about a second
		r.flow.advance(r.now)
		r.flow.keep.look(time.Now())
	}
	r.begin(t, id, parent, parent.PID, n)
	r.now++
	r.put(t.exit, id, parent)
}

// begin replays a fork and an exec; session is that of both.
func (r *replay) begin(t *recorded, id, parent process.ID, session uint32, n int) {
	for _, record := range [][]byte{t.fork, t.exec} { // struct wire_groups follows the header
		binary.NativeEndian.PutUint32(record[64:], session)
		binary.NativeEndian.PutUint64(record[64+16:], 2+uint64(session%cgroups))
		binary.NativeEndian.PutUint64(record[64+24:], 2+uint64(session%cgroups))
	}
	for _, digits := range t.digits {
		for i, rest := len(digits)-1, n; i >= 0; i, rest = i-1, rest/10 {
			digits[i] = '0' + byte(rest%10)
		}
	}
	r.now++
	r.put(t.fork, id, parent)
	r.put(t.exec, id, parent)
}

// unread makes the n-th lifetime, which the ring has and nobody has read.
func (r *replay) unread(n int) {
	r.later = true
	r.lifetime(n)
	r.later = false
}

// put gives a record other ids (struct wire_header) and moves it.
func (r *replay) put(record []byte, id, parent process.ID) {
	binary.NativeEndian.PutUint64(record[8:], uint64(r.now))
	binary.NativeEndian.PutUint64(record[16:], uint64(id.Start))
	binary.NativeEndian.PutUint64(record[24:], uint64(parent.Start))
	binary.NativeEndian.PutUint32(record[40:], id.PID)
	binary.NativeEndian.PutUint32(record[44:], parent.PID)
	if r.later {
		r.ring.write(record)
		return
	}
	r.ring.put(record)
	if r.bare {
		if err := r.decoder.Decode(record, &r.flow.event); err != nil {
			r.t.Fatal(err)
		}
		ev := &r.flow.event
		ev.VPID = 0 // without it, credentials are not known
		ev.Usage = process.Usage{}
		r.flow.apply()
	} else {
		r.flow.applyRecord(r.decoder, record)
	}
	if r.flow.keep.makeRoom(); r.flow.keep == nil && r.ring.Held() >= r.flow.ringSize/16 { // as the tracer does
		r.ring.Release()
	}
}

// keepIn gives the flow a keeper of a directory.
func (r *replay) keepIn(dir string, o Options, exporter *otelexport.Exporter) *keeper {
	r.t.Helper()
	o.Config.Daemon.Persist, o.Config.Daemon.StateDirectory = true, dir
	keep, err := openKeeper(o, "this boot")
	if err != nil {
		r.t.Fatal(err)
	}
	r.flow.keep, keep.flow, keep.out = keep, &r.flow, r.flow.out.(exportOutput)
	keep.ring, keep.origin, keep.session = r.ring, bpf.TakenOver, bpf.Session{1}
	return keep
}

// readStorm reads the lifetimes that package bpf has recorded.
func readStorm(t testing.TB) (all []recorded) {
	t.Helper()
	raw, err := os.ReadFile("../bpf/testdata/storm.ring")
	if err != nil {
		t.Fatal(err)
	}
	for len(raw) > 0 {
		size := 4 + binary.LittleEndian.Uint32(raw)
		record := raw[4:size:size]
		raw = raw[size:]
		switch binary.NativeEndian.Uint32(record) {
		case 1:
			all = append(all, recorded{fork: record})
		case 2:
			t := &all[len(all)-1]
			t.exec = record
			for at := 0; ; {
				i := bytes.Index(record[at:], []byte("000000"))
				if i < 0 {
					break
				}
				at += i + 6
				t.digits = append(t.digits, record[at-6:at])
			}
		case 3:
			all[len(all)-1].exit = record
		}
	}
	return all
}
