package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
)

// TestMain lets the test binary play the roles, as the bench does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case roleWorker, roleCrowd, roleSink, roleLines:
			main()
			return
		}
	}
	os.Exit(m.Run())
}

func testLab(t *testing.T) *lab {
	t.Helper()
	l, err := newLab("procspan-is-not-needed")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(l.dir) })
	return l
}

func TestStorm(t *testing.T) {
	l := testLab(t)
	got, err := l.storm(t.Context(), stormName, 20)
	if err != nil {
		t.Fatal(err)
	}
	if got.Took <= 0 || got.CPU <= 0 {
		t.Errorf("20 processes took %d ns, and %d ns of CPU", got.Took, got.CPU)
	}
	if _, err := l.storm(t.Context(), "no-such-program", 2); err == nil {
		t.Error("a program that is not there was started")
	}
}

// TestGather counts the children of the one that starts the crowd.
func TestGather(t *testing.T) {
	l := testLab(t)
	disperse, err := l.gather(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	sleepers := filepath.Join(l.dir, crowdName)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var args []byte
	for _, entry := range entries {
		if exe, err := os.Readlink(filepath.Join("/proc", entry.Name(), "exe")); err == nil && exe == sleepers {
			got++
			// An exec shows its file before its arguments.
			for giveUp := time.Now().Add(time.Minute); ; {
				args, _ = os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
				if len(args) > 0 || time.Now().After(giveUp) {
					break
				}
			}
		}
	}
	if got != 7 {
		t.Errorf("%d processes sleep, want 7", got)
	}
	if fields := strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00"); len(fields) != 5 || len(fields[4]) != digits {
		t.Errorf("one of them has the arguments %q", fields)
	} else if n, err := strconv.Atoi(fields[4]); err != nil || n < 0 || n > 6 {
		t.Errorf("one of them has the number %q", fields[4])
	}
	if err := disperse(); err != nil {
		t.Errorf("the crowd did not end well: %v", err)
	}
}

func TestReceiveLines(t *testing.T) {
	l := testLab(t)
	var readers, writers []*os.File
	for range 2 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		readers, writers = append(readers, r), append(writers, w)
	}
	got, err := l.receive(t.Context(), readers, roleLines, printsExecs, printsExits)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{execsnoopOutput, exitsnoopOutput} {
		readers[i].Close()
		if _, err := fmt.Fprint(writers[i], text); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := got.counts(); err != nil || c.done {
		t.Errorf("before the ends: %+v, %v", c, err)
	}
	for _, w := range writers {
		w.Close()
	}
	tr := &tracer{receiver: got}
	c, err := tr.finish()
	want := counts{Execs: 2, OtherExecs: 2, Exits: 1, OtherExits: 1, Bytes: len(execsnoopOutput) + len(exitsnoopOutput), done: true}
	if err != nil || c != want {
		t.Errorf("got %+v, %v, want %+v", c, err, want)
	}
}

func TestReceiveOTLP(t *testing.T) {
	l := testLab(t)
	got, err := l.receive(t.Context(), nil, roleSink)
	if err != nil {
		t.Fatal(err)
	}
	var grpcAddress, httpAddress string
	if _, err := fmt.Fscanln(got.out, &grpcAddress, &httpAddress); err != nil {
		t.Fatal(err)
	}
	connection, err := grpc.NewClient(grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := coltracepb.NewTraceServiceClient(connection).Export(context.Background(), traceRequest()); err != nil {
		t.Error(err)
	}
	if _, err := collogspb.NewLogsServiceClient(connection).Export(context.Background(), logsRequest()); err != nil {
		t.Error(err)
	}
	for _, compression := range []string{"", "gzip", "zstd"} {
		post(t, "http://"+httpAddress+"/v1/traces", compression, traceRequest())
	}
	c, err := (&tracer{receiver: got}).finish()
	if c.Wire == 0 || c.Wire > c.Bytes+5000 {
		t.Errorf("%d bytes came for requests of %d", c.Wire, c.Bytes)
	}
	c.Bytes, c.Wire = 0, 0
	want := counts{Spans: 4 * 3, OtherSpans: 4 * 2, Execs: 2, OtherExecs: 1, Exits: 1, OtherExits: 2, done: true}
	if err != nil || c != want {
		t.Errorf("got %+v, %v, want %+v", c, err, want)
	}
}

// post sends a request over HTTP.
func post(t *testing.T, url, compression string, request proto.Message) {
	t.Helper()
	body, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	switch compression {
	case "":
		packed.Write(body)
	case "gzip":
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(body) // a buffer takes everything
		_ = w.Close()
	case "zstd":
		w, _ := zstd.NewWriter(&packed)
		_, _ = w.Write(body)
		_ = w.Close()
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, &packed)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Encoding", compression)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%q is answered with %s", compression, answer.Status)
	}
}
