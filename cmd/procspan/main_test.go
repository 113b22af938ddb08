package main

// The command line is tested by stories, testdata/script/*.txt, one a file; see
// https://pkg.go.dev/github.com/rogpeppe/go-internal/testscript. In a story
// procspan is this test binary, started as a process of its own. The words that
// are ours stand in the *_story_test.go files:
//
//	exits CODE CMD…        run CMD to its end, which must have this exit code
//	exits -as UID CODE …   the same as another user, without any privileges
//	start [-tty] NAME CMD… start CMD; -tty: as the session of a terminal
//	await NAME REGEXP      wait until its output has this
//	type NAME TEXT         type on its terminal; ^C, ^\, ^Z and \n are keys
//	signal NAME SIG        send a signal to it, and to it alone
//	ends NAME CODE [TIME]  wait for its end; stdout and stderr are then its
//	kill-pid FILE          end the process whose pid is in FILE
//	programs NAME          remember which BPF programs it holds
//	bpffs DIR              mount a BPF file system on a new directory
//	unloaded NAME          wait until the kernel has none of these any more
//	sink [-later|-tls]     start a collector; $SINK is its URL
//	sink -now              let the one of -later answer
//	received FILE          write what the collector has as a tree
//	measured REGEXP        wait until a metric that the collector has is so
//	served NAME WHAT VAR   wait until it says where it serves WHAT; $VAR is the
//	                       URL, $VAR_PORT its port
//	fetch CODE URL REGEXP  ask URL until it answers CODE and this
//
// A story waits for something to have happened, never for time to pass.

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/procspan/procspan/agent/command"
)

func TestMain(m *testing.M) {
	if command.IsLauncher() {
		command.Become()
	}
	testscript.Main(m, map[string]func(){
		"procspan": main,
		"listener": listener,
	})
}

func TestStories(t *testing.T) {
	// A signal that is caught here is at its default in what is started; one that
	// is ignored, as nohup has it, would be ignored there as well.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition:           condition,
		Setup: func(env *testscript.Env) error {
			env.Values[storyKey{}] = newStory()
			env.Setenv("ESC", "\x1b]0;owned\x07\x1b[31m")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"start":    start,
			"await":    await,
			"type":     typeText,
			"signal":   sendSignal,
			"ends":     ends,
			"kill-pid": killPID,
			"programs": programs,
			"unloaded": unloaded,
			"bpffs":    mountBPF,
			"sink":     startSink,
			"received": received,
			"measured": measured,
			"served":   served,
			"fetch":    fetch,
		},
	})
}

// condition knows [root]. CI has root: there, its absence is a failure and
// nothing that is skipped.
func condition(cond string) (bool, error) {
	if cond != "root" {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	if os.Geteuid() == 0 {
		return true, nil
	}
	if os.Getenv("CI") == "true" {
		return false, errors.New("CI runs these tests as root, and this is not root")
	}
	return false, nil
}

// listener tells of each signal it gets. SIGUSR2 ends it, with the exit code
// that is its argument.
func listener() {
	code, err := strconv.Atoi(strings.Join(os.Args[1:], ""))
	if err != nil {
		fmt.Fprintln(os.Stderr, "listener:", err)
		os.Exit(99)
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2)
	fmt.Println("listening")
	for s := range signals {
		fmt.Println("got", unix.SignalName(s.(unix.Signal)))
		if s == unix.SIGUSR2 {
			os.Exit(code)
		}
	}
}
