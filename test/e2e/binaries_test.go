package e2e

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// jaegerBinary returns the path of a Jaeger built from ./jaeger/go.mod.
func jaegerBinary(t *testing.T) string {
	return cachedBinary(t, "jaeger", "github.com/jaegertracing/jaeger/cmd/jaeger")
}

// collectorBinary returns the path of the Collector in ./collector.
func collectorBinary(t *testing.T) string {
	return cachedBinary(t, "collector", ".")
}

// procspanBinary builds the procspan this checkout holds and returns its path.
// It is not cached: what is tested is what the files say now, and Go's build
// cache makes it quick.
func procspanBinary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "procspan")
	goBuild(t, "../..", path, "./cmd/procspan")
	return path
}

// quicklyCompiled saves a third of the time on modules that compile for minutes.
const quicklyCompiled = "-gcflags=all=-l -dwarf=false"

// cachedBinary returns the program pkg of the module in ./<name>, and builds it
// when the user's cache does not hold it for these very sources and this Go.
func cachedBinary(t *testing.T, name, pkg string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatalf("find the cache directory: %v", err)
	}
	dir := filepath.Join(cache, "procspan-e2e")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("create the cache directory: %v", err)
	}
	path := filepath.Join(dir, name+"-"+sourceKey(t, name))
	if _, err := os.Stat(path); err == nil {
		return path
	}

	// One builder at a time: the second test process finds what the first built.
	unlock := lockFile(t, filepath.Join(dir, name+".lock"))
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path
	}
	progress("e2e: building %s, some minutes the first time", name)
	begin := time.Now()
	unfinished := path + ".unfinished"
	goBuild(t, name, unfinished, pkg, quicklyCompiled)
	if err := os.Rename(unfinished, path); err != nil {
		t.Fatalf("keep the built %s: %v", name, err)
	}
	removeStale(dir, name, path)
	progress("e2e: built %s in %s", name, time.Since(begin).Round(time.Second))
	return path
}

// sourceKey names the state a binary is built from: the module's files and the
// toolchain.
func sourceKey(t *testing.T, dir string) string {
	t.Helper()
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatalf("list the sources of %s: %v", dir, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("read the sources of %s: %v", dir, err)
		}
		fmt.Fprintf(hash, "%s %d\n%s", filepath.Base(file), len(content), content)
	}
	return fmt.Sprintf("%x", hash.Sum(nil)[:8])
}

// removeStale deletes what earlier versions of a module left in the cache.
func removeStale(dir, name, keep string) {
	old, _ := filepath.Glob(filepath.Join(dir, name+"-*"))
	for _, path := range old {
		if path != keep {
			os.Remove(path)
		}
	}
}

// lockFile waits for the lock on path and returns what gives it back.
func lockFile(t *testing.T, path string) (unlock func()) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatalf("open the build lock: %v", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatalf("take the build lock: %v", err)
	}
	return func() { file.Close() }
}

// goBuild builds pkg of the module in dir to output. It gives up shortly before go
// test's own deadline, which would end the test without a reason.
func goBuild(t *testing.T, dir, output, pkg string, flags ...string) {
	t.Helper()
	output, err := filepath.Abs(output)
	if err != nil {
		t.Fatalf("build %s: %v", pkg, err)
	}
	ctx := t.Context()
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-10*time.Second))
		defer cancel()
	}
	args := append([]string{"build", "-C", dir, "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", output}, flags...)
	build := exec.CommandContext(ctx, "go", append(args, pkg)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	build.Cancel = func() error { return build.Process.Signal(os.Interrupt) }
	build.WaitDelay = 5 * time.Second
	text, err := build.CombinedOutput()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Fatalf("build %s: not done before the test deadline; what is compiled is kept, "+
			"so run again, or with go test -timeout 30m", pkg)
	}
	if err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, strings.TrimSpace(string(text)))
	}
}

// progress prints a line at once: to the terminal if there is one, since go test may
// hold back a test's output.
func progress(format string, args ...any) {
	line := fmt.Sprintf(format, args...) + "\n"
	if tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
		defer tty.Close()
		fmt.Fprint(tty, line)
		return
	}
	fmt.Fprint(os.Stderr, line)
}
