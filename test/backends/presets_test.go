package backends

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
)

var processes = flag.Int("processes", 2100, "how many processes the storm has")

// job is a storm of short processes, another one with long arguments, a build, and what
// exceeds the limits of values, lists and events: one job, so that it would be one trace.
const job = `
seq "$1" | xargs -P 4 -n 1 /bin/true
seq "$(($1 / 2))" | xargs -P 4 -n 1 /bin/true "$(printf %02300d 0)"
make -s -j2 wordfreq >/dev/null
/bin/true $(seq 300)
/bin/true "$(printf %05000d 0)" "$(printf 'größe%.0s' $(seq 500))"
n=0 exec sh -c 'n=$((n+1)); export n; [ $n -gt 20 ] || exec sh -c "$0" "$0"' 'n=$((n+1)); export n; [ $n -gt 20 ] || exec sh -c "$0" "$0"'
`

// With the file of a back end, procspan stays within its limits: nothing is refused.
func TestPresets(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: tracing needs CAP_BPF and CAP_PERFMON")
	}
	procspan := filepath.Join(t.TempDir(), "procspan")
	if out, err := exec.Command("go", "build", "-o", procspan, "../../cmd/procspan").CombinedOutput(); err != nil {
		t.Fatalf("build procspan: %v\n%s", err, out)
	}
	for _, l := range All() {
		t.Run(l.Name, func(t *testing.T) {
			seen := runJob(t, procspan, l.Name, NewSink(l))
			if len(seen.Refused) > 0 {
				t.Errorf("refused: %v", seen.Refused)
			}
			if whole := l.TraceSpans == 0 && l.TraceBytes == 0; !whole && seen.Traces < 2 {
				t.Errorf("%d spans came in %d traces: the job is too small for the limits", seen.Spans, seen.Traces)
			}
		})
	}
	// The same job exceeds them otherwise.
	for _, l := range All() {
		if l.Name == "dash0" {
			seen := runJob(t, procspan, "collector", NewSink(l))
			for _, limit := range []string{"trace spans", "value length", "events"} {
				if seen.Refused[limit] == 0 {
					t.Errorf("without the file of Dash0, its limit of %s is not exceeded", limit)
				}
			}
		}
	}
}

// runJob runs the job under procspan with the file of a back end, which sends to the
// sink.
func runJob(t *testing.T, procspan, file string, sink *Sink) Seen {
	t.Helper()
	project := t.TempDir()
	if err := os.CopyFS(project, os.DirFS("../e2e/testdata/cproject")); err != nil {
		t.Fatal(err)
	}
	config, err := filepath.Abs("../../deploy/backends/" + file + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(procspan, "exec", "--config", config, "--", "sh", "-c", job, "sh", strconv.Itoa(*processes))
	c.Dir = project
	c.Env = []string{"PATH=" + os.Getenv("PATH"),
		"TEMPO_ENDPOINT=http://" + serveGRPC(t, sink), "COLLECTOR_ENDPOINT=http://" + serveGRPC(t, sink)}
	for _, name := range []string{"DASH0_ENDPOINT", "NEW_RELIC_OTLP_ENDPOINT", "DYNATRACE_OTLP_ENDPOINT"} {
		c.Env = append(c.Env, name+"=http://"+serveHTTP(t, sink))
	}
	var log bytes.Buffer
	c.Stdout, c.Stderr = &log, &log
	if err := c.Run(); err != nil {
		t.Fatalf("run the job: %v\n%s", err, log.Bytes())
	}
	seen := sink.Seen()
	t.Logf("%d spans in %d traces, largest %v\n%s", seen.Spans, seen.Traces, seen.Largest, log.Bytes())
	m := regexp.MustCompile(`msg=spans made=(\d+) delivered=(\d+) dropped=(\d+)`).FindStringSubmatch(log.String())
	if m == nil || m[1] != fmt.Sprint(seen.Spans) || len(seen.Refused) == 0 && m[3] != "0" {
		t.Errorf("procspan does not say that it delivered the %d spans, but %q", seen.Spans, m)
	}
	if said := regexp.MustCompile(`more_traces=(\d+)`).FindStringSubmatch(log.String()); seen.Traces > 1 && (said == nil || said[1] != strconv.Itoa(seen.Traces-1)) {
		t.Errorf("procspan says %q of the %d traces", said, seen.Traces)
	}
	if seen.Spans < *processes {
		t.Errorf("%d spans came, want one for each of %d processes", seen.Spans, *processes)
	}
	return seen
}

func serveHTTP(t *testing.T, sink *Sink) (addr string) {
	t.Helper()
	l := listen(t)
	server := &http.Server{Handler: sink, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return l.Addr().String()
}

func serveGRPC(t *testing.T, sink *Sink) (addr string) {
	t.Helper()
	l := listen(t)
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	collectorpb.RegisterTraceServiceServer(server, sink)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestMain(m *testing.M) {
	flag.Parse()
	encoding.RegisterCompressor(compressor{})
	os.Exit(m.Run())
}

// compressor is zstd for gRPC.
type compressor struct{}

func (compressor) Name() string { return "zstd" }

func (compressor) Compress(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }

func (compressor) Decompress(r io.Reader) (io.Reader, error) {
	d, err := zstd.NewReader(r)
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}
