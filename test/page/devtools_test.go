package page

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// answerTimeout bounds how long the browser may take to answer a command, which
// may be to evaluate a script.
const answerTimeout = 90 * time.Second

// browser is a running Chromium, spoken to by the DevTools protocol: messages of
// JSON, each ended by a NUL, on its file descriptors 3 (commands) and 4 (answers
// and events).
type browser struct {
	commands io.Writer

	mu      sync.Mutex
	last    int
	waiting map[int]chan<- message
	tabs    map[string]*tab
	ended   chan struct{}
}

// message is an answer or an event.
type message struct {
	ID      int             `json:"id"`
	Session string          `json:"sessionId"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// startBrowser starts a Chromium that ends with the test.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v; the tests of pages need it (Debian: apt-get install chromium)", err)
	}
	home := t.TempDir()
	args := []string{
		"--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--user-data-dir=" + filepath.Join(home, "profile"),
		"--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio", "--no-first-run", "--no-default-browser-check",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-quic",
		// Otherwise a frame takes as long as the screen's, never less.
		"--disable-frame-rate-limit", "--disable-gpu-vsync",
	}
	toRead, commands, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, toWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "HOME="+home)
	cmd.ExtraFiles = []*os.File{toRead, toWrite}
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	toRead.Close()
	toWrite.Close()
	b := &browser{commands: commands, waiting: map[int]chan<- message{}, tabs: map[string]*tab{}, ended: make(chan struct{})}
	go b.read(answers)
	t.Cleanup(func() {
		commands.Close() // it ends by itself when nobody speaks to it
		select {
		case <-b.ended:
		case <-time.After(5 * time.Second):
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		answers.Close()
		if t.Failed() {
			for line := range strings.Lines(log.String()) {
				if !strings.Contains(line, "dbus") { // which no browser here has
					t.Logf("chromium printed: %s", line)
				}
			}
		}
	})
	return b
}

// read hands out what the browser says, until it ends.
func (b *browser) read(from io.Reader) {
	defer close(b.ended)
	in := bufio.NewReaderSize(from, 1<<16)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			continue
		}
		b.mu.Lock()
		answer, tab := b.waiting[m.ID], b.tabs[m.Session]
		if m.ID != 0 {
			delete(b.waiting, m.ID)
		}
		b.mu.Unlock()
		switch {
		case m.ID != 0 && answer != nil:
			answer <- m
		case m.ID == 0 && tab != nil:
			tab.heard(m)
		}
	}
}

// do sends a command, to a session or to the browser, and reads its answer into
// result, which may be nil.
func (b *browser) do(session, method string, params, result any) error {
	answer := make(chan message, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.waiting[id] = answer
	text, err := json.Marshal(map[string]any{"id": id, "sessionId": session, "method": method, "params": params})
	if session == "" {
		text, err = json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	}
	if err == nil {
		_, err = b.commands.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-b.ended:
		return fmt.Errorf("%s: the browser has ended", method)
	case <-time.After(answerTimeout):
		return fmt.Errorf("%s: no answer in %s", method, answerTimeout)
	}
}

// tab is one page, with cookies and a cache of its own.
type tab struct {
	t       *testing.T
	browser *browser
	session string

	mu       sync.Mutex
	requests []string // that the page made, and the page itself
	problems []string // errors in the console, exceptions, violations of its policy, dialogs
	loaded   chan struct{}
}

// newTab opens an empty tab of a size.
func (b *browser) newTab(t *testing.T, width, height int) *tab {
	t.Helper()
	tb := &tab{t: t, browser: b, loaded: make(chan struct{}, 16)}
	var context, target, attached struct{ BrowserContextID, TargetID, SessionID string }
	tb.must(b.do("", "Target.createBrowserContext", map[string]any{}, &context))
	tb.must(b.do("", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": context.BrowserContextID, "width": width, "height": height}, &target))
	tb.must(b.do("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached))
	tb.session = attached.SessionID
	b.mu.Lock()
	b.tabs[tb.session] = tb
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Network", "Log", "Audits"} {
		tb.do(domain+".enable", nil, nil)
	}
	tb.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	t.Cleanup(func() { _ = b.do("", "Target.disposeBrowserContext", context, nil) }) // it may have ended
	return tb
}

func (tb *tab) must(err error) {
	tb.t.Helper()
	if err != nil {
		tb.t.Fatal(err)
	}
}

func (tb *tab) do(method string, params, result any) {
	tb.t.Helper()
	if params == nil {
		params = map[string]any{}
	}
	tb.must(tb.browser.do(tb.session, method, params, result))
}

// heard notes what an event says.
func (tb *tab) heard(m message) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	switch m.Method {
	case "Page.loadEventFired":
		select {
		case tb.loaded <- struct{}{}:
		default:
		}
	case "Network.requestWillBeSent":
		var e struct{ Request struct{ URL string } }
		json.Unmarshal(m.Params, &e)
		tb.requests = append(tb.requests, e.Request.URL)
	case "Runtime.exceptionThrown", "Page.javascriptDialogOpening", "Audits.issueAdded", "Page.windowOpen":
		tb.problems = append(tb.problems, m.Method+" "+string(m.Params[:min(len(m.Params), 600)]))
	case "Log.entryAdded", "Runtime.consoleAPICalled":
		var e struct {
			Type  string
			Entry struct{ Level string }
		}
		json.Unmarshal(m.Params, &e)
		if slices.Contains([]string{"error", "warning", "assert"}, e.Type+e.Entry.Level) {
			tb.problems = append(tb.problems, m.Method+" "+string(m.Params[:min(len(m.Params), 600)]))
		}
	}
}

// open loads a page, up to its load event.
func (tb *tab) open(url string) {
	tb.t.Helper()
	var result struct{ ErrorText string }
	tb.do("Page.navigate", map[string]any{"url": url}, &result)
	if result.ErrorText != "" {
		tb.t.Fatalf("open %s: %s", url, result.ErrorText)
	}
	select {
	case <-tb.loaded:
	case <-time.After(answerTimeout):
		tb.t.Fatalf("open %s: not loaded in %s", url, answerTimeout)
	}
}

// eval returns the value of an expression, awaited if it is a promise.
func (tb *tab) eval(expression string, result any) {
	tb.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	tb.do("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &answer)
	if e := answer.ExceptionDetails; e != nil {
		tb.t.Fatalf("%.200s: %s %s", expression, e.Text, e.Exception.Description)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal(answer.Result.Value, result); err != nil {
		tb.t.Fatalf("%.200s: %v in %.200s", expression, err, answer.Result.Value)
	}
}

// text is eval of what is a string.
func (tb *tab) text(expression string) (s string) {
	tb.t.Helper()
	tb.eval(expression, &s)
	return s
}

// key presses and releases a key, named as in KeyboardEvent.key.
func (tb *tab) key(name string) {
	tb.t.Helper()
	press := map[string]any{"type": "keyDown", "key": name}
	if len(name) == 1 {
		press["text"] = name
	}
	tb.do("Input.dispatchKeyEvent", press, nil)
	tb.do("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": name}, nil)
}

// screenshot keeps a picture of the tab in the folder PAGE_PICTURES, if that is set,
// for people to look at.
func (tb *tab) screenshot(name string) {
	tb.t.Helper()
	dir := os.Getenv("PAGE_PICTURES")
	if dir == "" {
		return
	}
	var picture struct{ Data []byte }
	tb.do("Page.captureScreenshot", map[string]any{"format": "png"}, &picture)
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture.Data, 0o644); err != nil {
		tb.t.Fatal(err)
	}
}

// quiet fails the test if the page has requested anything but itself, or if
// anything went wrong in it.
func (tb *tab) quiet() {
	tb.t.Helper()
	tb.do("Runtime.evaluate", map[string]any{"expression": "0"}, nil) // events before its answer have been heard
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if len(tb.requests) > 1 {
		tb.t.Errorf("the page makes requests: %.300q", tb.requests[1:])
	}
	for _, p := range tb.problems {
		tb.t.Error(p)
	}
}
