package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the table of docs/cost.md and results.svg from results.json")

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 3, 100}, 3.5},
	} {
		before := append([]float64(nil), c.values...)
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
		for i := range before {
			if c.values[i] != before[i] {
				t.Fatalf("median changed its argument to %v", c.values)
			}
		}
	}
	if got := median([]int64{10, 30}); got != 20 {
		t.Errorf("median of integers = %d, want 20", got)
	}
}

// sample is a run with round numbers.
func sample() *results {
	r := func(without, with, cpu int64, seen int) round {
		return round{
			Without: load{Took: without, CPU: 1_000_000, HostCPU: 1_000_000 + without/2},
			With:    load{Took: with, CPU: 1_100_000},
			CPU:     cpu, ReceiverCPU: 20_000, RSS: 40e6, PeakRSS: 50e6, Lifetimes: 10, Seen: seen,
		}
	}
	return &results{
		Schema: schema, Begun: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 60e9,
		Machine:  machine{Kernel: "6.1.0", System: "Debian", Arch: "amd64", CPUs: 2, Model: "A & B"},
		Versions: map[string]string{"procspan": "v9 linux/amd64"},
		Plan:     plan{Lifetimes: 10, Pairs: 3, Compiles: 60},
		Contenders: []contest{
			{
				Name: "procspan", Title: "procspan: spans",
				Rounds: []round{r(1000, 1100, 100_000, 10), r(2000, 2000, 300_000, 9), r(1000, 1300, 200_000, 10)},
				InBPF: &inBPF{Lifetimes: 10, Programs: []programRun{
					{Name: "on_exec", Runs: 20, Time: 30_000}, {Name: "on_exit", Runs: 10, Time: 10_000},
				}},
			},
			{Name: "other", Title: "other: prints", Absent: "it is <not> installed"},
		},
		Build: &build{Rounds: []buildRound{
			{Without: load{Took: 100, CPU: 50}, With: load{Took: 104, CPU: 51}},
			{Without: load{Took: 100, CPU: 50}, With: load{Took: 102, CPU: 52}},
		}},
		Scale: &scale{Living: 10_000, RSS: 30e6, PeakRSS: 35e6, Idle: 10e9, IdleCPU: 5e6, Older: 2_000, Ready: []int64{200e6, 300e6, 250e6}},
	}
}

func TestReport(t *testing.T) {
	got := report(sample())
	for _, want := range []string{
		"| procspan: spans | 1.100 (1.000–1.300) | 1.100 (1.100–1.100) | 20.0 (10.0–30.0) | 4.00 | 2.0 | 40.0 | 29 of 30 | 1 |\n",
		"| other: prints | left out: it is <not> installed |",
		"| procspan: spans | on_exec 3000 (2.00 runs), on_exit 1000 (1.00 runs) |\n",
		"2 pairs | time 1.030 (1.020–1.040), its own CPU 1.030 (1.020–1.040) |\n",
		"| RSS with 10000 processes alive (at most) | 30.0 MB (35.0) |\n",
		"| 0.050 % of a core (0 other spans meanwhile) |\n",
		"| 250 ms (300) |\n",
		"a lifetime takes 100 µs of CPU; other work took 25 % of the machine meanwhile.\n**That is so much",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the report lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "Quick") {
		t.Error("the report says that it was quick")
	}
	for _, table := range strings.Split(got, "\n\n") {
		var columns int
		for line := range strings.Lines(table) {
			if !strings.HasPrefix(line, "|") {
				continue
			}
			if n := strings.Count(line, "|"); columns == 0 {
				columns = n
			} else if n != columns {
				t.Errorf("a row has %d columns more or less than its heading:\n%s", n-columns, table)
			}
		}
	}
}

func TestChanges(t *testing.T) {
	now := sample()
	now.Contenders[0].Rounds[0].With.Took = 1210 // the median of 1.21, 1.00 and 1.30
	now.Contenders[0].Rounds[1].Seen = 10
	now.Contenders[1] = now.Contenders[0]
	now.Contenders[1].Name = "other"
	got := changes(sample(), now)
	for _, want := range []string{
		"Against procspan v9",
		"| procspan: spawn time, with / without | 1.100 | 1.210 | +10.0 % |\n",
		"| procspan: lost, % of lifetimes | 3.333 | 0.000 | -100.0 % |\n",
		"| other: RSS, MB | – | 40.000 | new |\n",
		"| make -j2: time, with / without | 1.030 | 1.030 | +0.0 % |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the changes lack %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "another machine") || strings.Contains(got, "Not as many") {
		t.Errorf("the same machine and plan count as others:\n%s", got)
	}
	now.Machine.Kernel, now.Plan.Pairs = "6.2.0", 1
	if got := changes(sample(), now); !strings.Contains(got, "another machine") || !strings.Contains(got, "Not as many") {
		t.Errorf("another kernel and plan are not said:\n%s", got)
	}
}

func TestPlot(t *testing.T) {
	picture := plot(sample())
	for decoder := xml.NewDecoder(strings.NewReader(picture)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
	}
	for _, want := range []string{">1.10<", ">20.0<", ">4.0<", ">40<", "left out: it is &lt;not&gt; installed", "A &amp; B", "prefers-color-scheme:dark"} {
		if !strings.Contains(picture, want) {
			t.Errorf("the picture lacks %q", want)
		}
	}
}

// TestCommitted checks that docs/cost.md shows is what results.json says.
func TestCommitted(t *testing.T) {
	r, err := readResults("results.json")
	if err != nil || r == nil {
		t.Fatalf("there is no results.json, which make bench writes: %v", err)
	}
	page := filepath.Join("..", "..", "docs", "cost.md")
	if *update {
		if err := writePage(page, report(r)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("results.svg", []byte(plot(r)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), markBegin+report(r)+markEnd) {
		t.Error("the table in docs/cost.md is not that of results.json; run go test ./test/bench -update")
	}
	picture, err := os.ReadFile("results.svg")
	if err != nil {
		t.Fatal(err)
	}
	if string(picture) != plot(r) {
		t.Error("results.svg is not the picture of results.json; run go test ./test/bench -update")
	}
	if r.Quick {
		t.Error("the results are of a quick run, which is not to be quoted")
	}
}

func TestResultsFile(t *testing.T) {
	dir := t.TempDir()
	want := sample()
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "results.json")
	got, err := readResults(file)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if !bytes.Equal(a, b) {
		t.Errorf("read %s\nwrote %s", a, b)
	}
	if none, err := readResults(filepath.Join(dir, "none.json")); none != nil || err != nil {
		t.Errorf("no earlier results: %v, %v", none, err)
	}
	want.Schema++
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := readResults(file); err == nil || !strings.Contains(err.Error(), "has schema 2, this bench writes 1") {
		t.Errorf("results of another schema: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if none, err := readResults(file); none != nil || err != nil {
		t.Errorf("an empty file: %v, %v", none, err)
	}
}
