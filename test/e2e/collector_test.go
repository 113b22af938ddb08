package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
)

// collectorConfig is a Collector that passes traces on to the address %[2]s.
const collectorConfig = `
service:
  pipelines:
    traces: {receivers: [otlp], processors: [batch], exporters: [otlp_grpc, debug]}
  telemetry:
    metrics: {level: none}
    logs: {level: info}
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:%[1]d"}}}
processors:
  batch: {timeout: 100ms}
exporters:
  otlp_grpc: {endpoint: %[2]q, tls: {insecure: true}}
  debug: {verbosity: basic}
`

// collector is a running OpenTelemetry Collector.
type collector struct {
	*server
	otlp string // host:port of its OTLP/gRPC receiver
}

// startCollector starts a Collector that sends what it gets to the OTLP/gRPC
// receiver at target, and ends it with the test.
func startCollector(t *testing.T, target string) *collector {
	t.Helper()
	return runCollector(t, func(port int) string { return fmt.Sprintf(collectorConfig, port, target) })
}

// runCollector starts a Collector with the configuration for a port to receive
// at, and ends it with the test.
func runCollector(t *testing.T, config func(port int) string) *collector {
	t.Helper()
	var c *collector
	withFreePorts(t, 1, func(ports []int) (err error) {
		c, err = collectorAt(t, ports[0], config(ports[0]))
		return err
	})
	return c
}

// collectorAt starts a Collector with a configuration that has it receive at a
// port, and ends it with the test.
func collectorAt(t *testing.T, port int, config string) (*collector, error) {
	t.Helper()
	return collectorBy(t, port, collectorBinary(t), "--config", writeFile(t, "collector.yaml", config))
}

// collectorBy starts a Collector by a command, and ends it with the test.
func collectorBy(t *testing.T, port int, command ...string) (*collector, error) {
	t.Helper()
	c := &collector{
		server: startServer(t, "collector", command[0], command[1:]...),
		otlp:   fmt.Sprintf("127.0.0.1:%d", port),
	}
	return c, c.awaitReady(t.Context(), func(ctx context.Context) error {
		// The health check extensions are no core modules; the Collector's own
		// word and an open port say the same.
		if !strings.Contains(c.logTail(), "Everything is ready") {
			return errors.New("it does not say that it is ready")
		}
		connection, err := new(net.Dialer).DialContext(ctx, "tcp4", c.otlp)
		if err != nil {
			return err
		}
		return connection.Close()
	})
}
