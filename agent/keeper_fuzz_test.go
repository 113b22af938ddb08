package agent

import (
	"testing"

	"github.com/procspan/procspan/agent/handover"
	"github.com/procspan/procspan/process"
)

// FuzzRestore restores a state that has any piece and any entry: what is not
// understood is counted, and nothing panics but what is recovered.
func FuzzRestore(f *testing.F) {
	table := process.NewTable(process.Limits{Processes: 9, Bytes: 1 << 20}, process.Policy{}, process.NewIDs("test"))
	table.Adopt([]process.Living{{ID: process.ID{PID: 2, Start: 1}, Execed: true}})
	for kind, seed := range map[handover.Kind][]byte{
		headItem:    (&head{position: 7, format: 1}).append(nil),
		clockItem:   make([]byte, 16),
		lossesItem:  {3, 1, 'a', 9},
		pathsItem:   {7, 2, '/', 'a'},
		pendingItem: {0, 1, 1, 2, 3},
		tableItem:   table.AppendSnapshot(nil),
		ringItem:    appendRecord(nil, make([]byte, 112)),
		tickItem:    nil,
		adoptItem:   process.AppendLiving(nil, []process.Living{{ID: process.ID{PID: 3, Start: 2}, Execed: true}}),
		goneItem:    process.AppendIDs(nil, []process.ID{{PID: 2, Start: 1}}),
		200:         []byte("later"),
	} {
		f.Add(byte(kind), seed, appendNumbers(nil, 7, 1, 2))
	}
	f.Fuzz(func(t *testing.T, kind byte, body, note []byte) {
		if len(note) > handover.MaxNote {
			return
		}
		dir := t.TempDir()
		first := startAgent(t, dir, 5, true)
		first.keep.snapshot(false)
		item := handover.Item{Kind: handover.Kind(kind), Note: note, Body: body}
		j := first.keep.journal
		for _, err := range []error{j.Piece(item), j.Commit(), j.Append(item)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		first.kill()
		second := startAgent(t, dir, 0, true)
		if !second.keep.restore() && item.Kind != tableItem {
			t.Error("nothing is restored")
		}
		if n := second.flow.table.Stats().Living; n > 5+1+len(body) {
			t.Errorf("%d processes are running", n)
		}
	})
}
