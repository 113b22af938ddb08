package hostile

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// More idle connections to the agent's ports than it has file descriptors do not
// stop the delivery.
func TestIdleConnections(t *testing.T) {
	requireRoot(t)
	dir := stage(t)
	a := startAgent(t, dir, `health: {endpoint: "127.0.0.1:0"}`,
		"meter_provider: {readers: [{pull: {exporter: {prometheus/development: {host: 127.0.0.1, port: 0}}}}]}\n")
	ports := regexp.MustCompile(`127\.0\.0\.1:(\d+)`).FindAllStringSubmatch(a.log.String(), -1)
	found := map[string]bool{}
	for _, p := range ports {
		if p[0] != a.sink.Target() {
			found[p[0]] = true
		}
	}
	if len(found) != 2 {
		t.Fatalf("the agent listens at %v, want its metrics and its health", found)
	}
	for address := range found {
		attack(t, dir, "connections "+address)
	}
	for range 20 {
		a.span(exec.Command("/bin/true"))
	}
	a.check()
	if strings.Contains(a.log.String(), "too many open files") {
		t.Error("the agent had no file descriptors left")
	}
}

// holdConnections opens 1,100 connections to an address and keeps them. The agent
// may close them.
func holdConnections(address string) error {
	const most = 1100
	for n := range most {
		c, err := net.Dial("tcp", address)
		if err != nil {
			if n > 0 && !errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("open connection %s: %w", strconv.Itoa(n), err)
		}
		held = append(held, c)
	}
	return nil
}

// held keeps the attacker's connections open.
var held []net.Conn
