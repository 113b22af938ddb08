package e2e

import (
	"fmt"
	"slices"
	"strings"
)

// node is a process in a tree of processes, told by spans or by a witness.
type node struct {
	name     string
	exitCode int
	children []*node
}

// String draws the tree, one process a line. The order of siblings is theirs by
// name and below, not by time, so that equal trees give equal text.
func (n *node) String() string {
	lines := []string{fmt.Sprintf("%s exit %d\n", n.name, n.exitCode)}
	var below []string
	for _, child := range n.children {
		below = append(below, "  "+strings.ReplaceAll(strings.TrimSuffix(child.String(), "\n"), "\n", "\n  ")+"\n")
	}
	slices.Sort(below)
	return strings.Join(append(lines, below...), "")
}

// count returns how many processes of the tree there are by name.
func (n *node) count() map[string]int {
	counts := map[string]int{n.name: 1}
	for _, child := range n.children {
		for name, c := range child.count() {
			counts[name] += c
		}
	}
	return counts
}

// size returns the number of processes in the tree.
func (n *node) size() int {
	size := 1
	for _, child := range n.children {
		size += child.size()
	}
	return size
}

// treeOf builds the tree that spans tell by their parent ids. It is an error
// when they are not one tree: more than one trace or root, a parent that is not
// there, an id that is used twice.
func treeOf(spans []*span) (*node, error) {
	nodes := map[string]*node{}
	for _, s := range spans {
		if nodes[s.SpanID] != nil {
			return nil, fmt.Errorf("span id %s is there twice", s.SpanID)
		}
		if s.TraceID != spans[0].TraceID {
			return nil, fmt.Errorf("%v is in trace %s and %v in %s", spans[0], spans[0].TraceID, s, s.TraceID)
		}
		code, ok := s.Attributes["process.exit.code"].(int64)
		if !ok {
			return nil, fmt.Errorf("%v has process.exit.code %v", s, s.Attributes["process.exit.code"])
		}
		nodes[s.SpanID] = &node{name: s.Name, exitCode: int(code)}
	}
	var root *node
	for _, s := range spans {
		switch parent := nodes[s.ParentID]; {
		case s.ParentID == "" && root != nil:
			return nil, fmt.Errorf("%v is a second root beside %s", s, root.name)
		case s.ParentID == "":
			root = nodes[s.SpanID]
		case parent == nil:
			return nil, fmt.Errorf("the parent %s of %v is missing", s.ParentID, s)
		default:
			parent.children = append(parent.children, nodes[s.SpanID])
		}
	}
	if root == nil {
		return nil, fmt.Errorf("none of %d spans is a root", len(spans))
	}
	if root.size() != len(spans) {
		return nil, fmt.Errorf("%d of %d spans hang below the root: there is a circle", root.size(), len(spans))
	}
	return root, nil
}

// describe lists spans for a test's message.
func describe(spans []*span) string {
	var text strings.Builder
	for _, s := range spans {
		fmt.Fprintf(&text, "trace %s span %s parent %-16s %s exit %v pid %v\n", s.TraceID, s.SpanID,
			s.ParentID, s.Name, s.Attributes["process.exit.code"], s.Attributes["process.pid"])
	}
	return text.String()
}
