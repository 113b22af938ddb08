package selfmetrics

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/procspan/procspan/config"
)

// Connections that a local user keeps open, idle, within a request or between two,
// take few descriptors, and do not keep a probe out.
func TestConnectionsAreBounded(t *testing.T) {
	o, _ := testOptions(config.Metrics{})
	o.Metrics, o.Health.Endpoint = nil, "127.0.0.1:0"
	w, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Shutdown(context.Background())
	for name, first := range map[string]string{
		"idle":                "",
		"within a request":    "GET /livez HT",
		"between two of them": "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			var held []net.Conn
			for range 10 * maxConnections {
				conn, err := net.Dial("tcp", w.servers[0].address())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if _, err := io.WriteString(conn, first); isTimeout(err) {
					t.Fatal(err)
				}
				held = append(held, conn)
			}
			get(t, w.servers[0], "/livez", http.StatusOK) // and all before it were accepted
			open := held
			// A connection is closed once its goroutine runs, on a busy machine a while later.
			for giveUp := time.Now().Add(30 * time.Second); len(open) > maxConnections; {
				open = slices.DeleteFunc(open, func(conn net.Conn) bool {
					_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
					_, err := io.Copy(io.Discard, conn)
					return !isTimeout(err)
				})
				if time.Now().After(giveUp) {
					t.Fatalf("%d connections stayed open, want %d at most", len(open), maxConnections)
				}
			}
		})
	}
}

// What a connection reports after it was closed for a newer one closes no other.
func TestClosedConnectionReports(t *testing.T) {
	var c connections
	var all []net.Conn
	for range maxConnections + 3 {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		all = append(all, ours)
		c.changed(ours, http.StateNew)
	}
	for _, conn := range all[:3] {
		c.changed(conn, http.StateActive)
		c.changed(conn, http.StateClosed)
	}
	if !slices.Equal(c.open, all[3:]) {
		t.Errorf("%d connections are open, want the last %d", len(c.open), maxConnections)
	}
	for _, conn := range all[3:] {
		if err := conn.SetDeadline(time.Time{}); err != nil {
			t.Error("one of the last is closed")
		}
		conn.Close()
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
