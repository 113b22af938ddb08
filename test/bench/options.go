package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// options is what is asked for.
type options struct {
	procspan   string // the binary
	out        string // directory for results.json and results.svg
	against    string // results.json of an earlier run, or ""
	page       string // where the table goes too, or ""
	contenders string // regular expression over their names
	install    bool
	quick      bool
	plan       plan
}

// plan is how much is measured. It is part of the results.
type plan struct {
	Lifetimes int `json:"lifetimes"` // of a round of the storm
	Pairs     int `json:"pairs"`     // of rounds without and with, for each contender
	Compiles  int `json:"compiles"`  // of the build
	Builds    int `json:"builds"`    // pairs of builds without and with
	Living    int `json:"living"`    // processes alive when memory is read
	Older     int `json:"older"`     // processes alive when procspan starts
	Starts    int `json:"starts"`
	// Idle is how long procspan is watched at rest.
	Idle time.Duration `json:"idle_ns"`
}

var (
	fullPlan  = plan{Lifetimes: 20_000, Pairs: 5, Compiles: 200, Builds: 5, Living: 10_000, Older: 2_000, Starts: 5, Idle: time.Minute}
	quickPlan = plan{Lifetimes: 5_000, Pairs: 2, Compiles: 60, Builds: 1, Living: 10_000, Older: 2_000, Starts: 2, Idle: 5 * time.Second}
)

func parseOptions(args []string) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.procspan, "procspan", "bin/procspan", "the procspan to measure, a `file`")
	flags.StringVar(&o.out, "out", "", "where results.json and results.svg go, a `directory` (default: bench, with -quick bin)")
	flags.StringVar(&o.against, "against", "", "say what changed against this results.json, a `file`")
	flags.StringVar(&o.page, "page", "", "put the table between the bench marks of this `file`, unless -quick")
	flags.StringVar(&o.contenders, "only", "", "only the contenders whose name matches this `regexp`, and only the storm; ways: only the ways to send, into the results there are")
	flags.BoolVar(&o.install, "install", true, "install missing contenders with apt-get, where it is there and allowed to")
	flags.BoolVar(&o.quick, "quick", false, "few and short rounds: one or two minutes, and nothing to quote")
	pairs := flags.Int("pairs", 0, "pairs of rounds for each contender (default 5, with -quick 2)")
	lifetimes := flags.Int("lifetimes", 0, "lifetimes of a round (default 20000, with -quick 5000)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("there is no argument %q; see bench -h", flags.Arg(0))
	}
	o.plan = fullPlan
	if o.quick {
		o.plan = quickPlan
	}
	if *pairs > 0 {
		o.plan.Pairs = *pairs
	}
	if *lifetimes > 0 {
		o.plan.Lifetimes = *lifetimes
	}
	switch {
	case o.out != "":
	case o.quick:
		o.out = "bin"
	default:
		o.out = "test/bench"
	}
	var err error
	if o.procspan, err = filepath.Abs(o.procspan); err != nil {
		return o, err
	}
	if _, err := os.Stat(o.procspan); err != nil {
		return o, fmt.Errorf("%w: make build comes first", err)
	}
	if os.Geteuid() != 0 {
		return o, errors.New("tracing needs root: use make bench, which asks for sudo")
	}
	return o, nil
}
