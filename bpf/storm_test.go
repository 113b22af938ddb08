package bpf

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/process"
)

// storm is a file that benchmarks replay: the records of some lifetimes,
// each after its length in four bytes.
const storm = "testdata/storm.ring"

// recorded is the file at the time of the build: a guest has no files.
//
//go:embed testdata/storm.ring
var recorded []byte

var update = flag.Bool("update", false, "record "+storm+" again, as root")

// The decoder reads the recorded storm.
func TestStorm(t *testing.T) {
	raw := recorded
	if *update {
		raw = recordStorm(t)
		if err := os.WriteFile(storm, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	count := map[process.Kind]int{}
	decoder := NewDecoder()
	for len(raw) > 0 {
		size := binary.LittleEndian.Uint32(raw)
		var ev process.Event
		if err := decoder.Decode(raw[4:4+size], &ev); err != nil {
			t.Fatalf("%v; record it again: go test ./bpf -run TestStorm -update", err)
		}
		count[ev.Kind]++
		raw = raw[4+size:]
	}
	if count[process.Fork] != len(stormArgs) || count[process.Exec] != len(stormArgs) || count[process.Exit] != len(stormArgs) {
		t.Errorf("got %v, want %d of each kind", count, len(stormArgs))
	}
}

// stormArgs are the command lines of a build, a login and some jobs. The digits
// are for a replay to change.
var stormArgs = []string{
	"gcc -O2 -Wall -Wextra -DNDEBUG=1 -Iinclude -I/usr/include/x86_64-linux-gnu -c -o build/file000000.o src/file000000.c",
	"/usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet -imultiarch x86_64-linux-gnu -Iinclude src/file000000.c -dumpdir build/ -O2 -Wall -o /tmp/cc000000.s",
	"as --64 -I include -o build/file000000.o /tmp/cc000000.s",
	"sed -e s/@VERSION@/1.2/ config.h.in",
	"cat /etc/debian_version",
	"id -u",
	"sh -c ./check.sh 000000 && make -j2 all",
	"sleep 0",
}

// recordStorm starts them one after the other, as /bin/true.
func recordStorm(t *testing.T) (file []byte) {
	if err := exec.Command("/bin/true").Run(); err != nil { // the first tries out pidfd_open with a child of its own
		t.Fatal(err)
	}
	tr := tracer(t, Options{OnlyDescendants: true, Variables: []string{"TRACEPARENT", "TRACESTATE"}})
	for _, args := range stormArgs {
		cmd := exec.Command("/bin/true")
		cmd.Args, cmd.Dir = strings.Fields(args), "/usr/share/doc"
		cmd.Env = []string{"PATH=/usr/bin", "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
		for i := range 30 {
			cmd.Env = append(cmd.Env, fmt.Sprintf("VARIABLE_%d=%s", i, strings.Repeat("x", 40)))
		}
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
	}
	for {
		record, err := tr.ring.read(time.Now())
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return file
		}
		if err != nil {
			t.Fatal(err)
		}
		file = binary.LittleEndian.AppendUint32(file, uint32(len(record)))
		file = append(file, record...)
	}
}
