package timeline

import (
	"bufio"
	"encoding/binary"
	"io"
	"slices"
	"time"
)

// Segment is a part of the critical path: from Start to End, the job waited for
// what Process did.
type Segment struct {
	Process int
	// Start and End are in nanoseconds since the start of the job.
	Start, End int64
	// Next says what came of it: Joined where the parent went on at the end of
	// Process, Freed where its end freed a slot that the next process took,
	// Piped where it is a part of a pipeline, Own where Process goes on itself.
	Next Next
	// Proved says that the kernel showed the parent of Process waiting for it at its
	// end; otherwise that is inferred. The root is proved.
	Proved bool
}

// Duration returns how long the segment is.
func (s Segment) Duration() time.Duration { return time.Duration(s.End - s.Start) }

// Next says what a segment of the path led to.
type Next uint8

// What it led to.
const (
	Own Next = iota
	Joined
	Freed
	Piped
)

func (n Next) String() string { return [...]string{"own", "join", "slot", "pipe"}[n] }

// Path is the critical path of a job.
type Path struct {
	// Segments are in the order of time. They partition the elapsed time: each
	// begins where the one before ended.
	Segments []Segment
	// Held is how long each process of the model holds the path.
	Held []int64
	// Proved is the part of the elapsed time whose segments are proved.
	Proved time.Duration
}

// walk is the state of the way back from the end of the job.
type walk struct {
	m        *Model
	path     *Path
	at       int64
	cursor   []int32           // per process: how many of its joined children are left to pass
	children map[int32][]int32 // joined children, by end; of processes that were entered
	proved   []bool
	next     Next
	cpu      []int64                  // subtreeCPU
	pipes    map[int32]map[int32]pipe // of processes that were entered, by the last member
	freedBy  []int32                  // of pools
}

// Path returns the critical path: a walk backwards from the end of the job. At
// each moment exactly one process holds the job: where the process that holds it
// waited for a child, the child that ended last holds it before that. Children
// that nothing waited for are never on it.
func (m *Model) Path() *Path {
	p := &Path{Held: make([]int64, m.Len())}
	root := m.pathRoot()
	if root == None || m.Elapsed <= 0 {
		return p
	}
	w := &walk{
		m: m, path: p, at: int64(m.Elapsed),
		cursor: make([]int32, m.Len()), children: map[int32][]int32{},
		proved: make([]bool, m.Len()), cpu: m.subtreeCPU(), pipes: map[int32]map[int32]pipe{}, freedBy: m.pools().freedBy,
	}
	w.proved[root] = true
	w.run(root)
	slices.Reverse(p.Segments)
	for _, s := range p.Segments {
		p.Held[s.Process] += s.End - s.Start
		if s.Proved {
			p.Proved += s.Duration()
		}
	}
	return p
}

// pathRoot returns the process that the path ends with: the root, or, where there
// is none, the process without a parent that ended last.
func (m *Model) pathRoot() int32 {
	if m.Root != None {
		return int32(m.Root)
	}
	last := int32(None)
	for i, p := range m.Parent {
		if p == None && (last == None || m.End[i] > m.End[last]) {
			last = int32(i)
		}
	}
	return last
}

func (w *walk) run(root int32) {
	m := w.m
	w.enter(root)
	cur, after := root, int32(None) // after is the child of cur that the walk comes from
	for {
		k := w.freer(after)
		if k == None || m.Parent[k] == cur {
			k = w.last(cur)
		}
		if k != None {
			w.emit(cur, m.End[k])
			w.next = Joined
			if after != None && w.freedBy[after] == k {
				w.next = Freed
			}
			w.reach(m.Parent[k])
			w.proved[k] = m.Has(int(k), ParentWaited)
			cur = m.Parent[k]
			if p, ok := w.pipes[cur][k]; ok {
				k = w.piped(p)
			}
			if after = None; k != None {
				w.enter(k)
				cur = k
			}
			continue
		}
		w.emit(cur, m.Start[cur])
		if cur == root || w.at <= 0 {
			break
		}
		w.next = Own
		delete(w.children, cur)
		delete(w.pipes, cur)
		cur, after = m.Parent[cur], cur
	}
	// Without a root process, the job may begin before the one that ended last.
	w.emit(root, 0)
}

// freer returns the process whose end freed the slot that i took, or None.
func (w *walk) freer(i int32) int32 {
	if i == None || w.freedBy[i] == None || w.m.Start[w.freedBy[i]] >= w.at || w.m.End[w.freedBy[i]] > w.at {
		return None
	}
	return w.freedBy[i]
}

// reach enters a runner that the walk came to by a slot, and what is above it.
func (w *walk) reach(i int32) {
	for ; i != None && w.children[i] == nil; i = w.m.Parent[i] {
		w.proved[i] = w.m.Has(int(i), ParentWaited)
		w.enter(i)
	}
}

// piped gives the end of a pipeline to its last member, as far as the others had
// ended, and returns the member that holds the time before. Where several do, it
// gives the whole pipeline to them, and returns None.
func (w *walk) piped(p pipe) int32 {
	// Which of them the others waited for is never seen.
	for _, i := range p.members {
		w.proved[i] = false
	}
	if p.holder == None {
		w.share(p)
		return None
	}
	if p.holder != p.last {
		w.emit(p.last, w.m.End[p.holder])
		w.next = Piped
	}
	return p.holder
}

// enter prepares a process for the walk through its children.
func (w *walk) enter(i int32) {
	joined := w.m.joined(int(i))
	if joined == nil {
		joined = []int32{} // reach sees that it was entered
	}
	w.children[i] = joined
	w.cursor[i] = int32(len(joined))
	if p := w.m.pipelines(int(i), joined, w.cpu); len(p) > 0 {
		w.pipes[i] = p
	}
}

// last passes the joined children of cur that end after the present moment, and
// returns the one that ends last before it, or None.
func (w *walk) last(cur int32) int32 {
	joined := w.children[cur]
	for w.cursor[cur] > 0 {
		w.cursor[cur]--
		if k := joined[w.cursor[cur]]; w.m.End[k] <= w.at && w.m.Start[k] < w.at {
			return k
		}
	}
	return None
}

// emit gives the time from `from` to the present moment to a process.
func (w *walk) emit(i int32, from int64) {
	from = max(from, 0)
	if from >= w.at {
		return
	}
	w.path.Segments = append(w.path.Segments, Segment{
		Process: int(i), Start: from, End: w.at, Next: w.next, Proved: w.proved[i],
	})
	w.at, w.next = from, Own
}

// Encode writes the path for a page, behind the model: the number of segments,
// and of each its process, its length, and its Next, doubled, plus 1 where it is
// proved.
func (p *Path) Encode(w io.Writer) error {
	out := bufio.NewWriter(w)
	var scratch [binary.MaxVarintLen64]byte
	put := func(v uint64) { out.Write(binary.AppendUvarint(scratch[:0], v)) } // Flush returns the first error
	put(uint64(len(p.Segments)))
	for _, s := range p.Segments {
		put(uint64(s.Process))
		put(uint64(s.End - s.Start))
		put(uint64(s.Next)<<1 | uint64(b2i(s.Proved)))
	}
	return out.Flush()
}
