package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// proxiedHost is a collector's name that only the test's own /etc/hosts has: programs
// go past a proxy to localhost.
const proxiedHost = "collector.e2e.test"

// withHosts returns a command that runs a program with an /etc/hosts of its own, and
// with variables.
func withHosts(t *testing.T, variables []string, program ...string) []string {
	t.Helper()
	hosts := writeFile(t, "hosts", "127.0.0.1 localhost\n127.0.0.1 "+proxiedHost+"\n")
	script := `mount --bind "$0" /etc/hosts && exec env "$@"`
	return append(append([]string{"unshare", "-m", "--propagation", "private", "sh", "-c", script, hosts}, variables...), program...)
}

// startProxy starts a tinyproxy at a port, and ends it with the test.
func startProxy(t *testing.T, port int) *server {
	t.Helper()
	path, err := exec.LookPath("tinyproxy")
	if err != nil {
		t.Fatalf("%v: apt-get install tinyproxy", err)
	}
	config := writeFile(t, "tinyproxy.conf", fmt.Sprintf("Port %d\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nMaxClients 20\nLogLevel Connect\n", port))
	command := withHosts(t, nil, path, "-d", "-c", config)
	s := startServer(t, "tinyproxy", command[0], command[1:]...)
	awaitPort(t, s, port)
	return s
}

func awaitPort(t *testing.T, s *server, port int) {
	t.Helper()
	err := poll(t.Context(), startTimeout, func(ctx context.Context) error {
		c, err := new(net.Dialer).DialContext(ctx, "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err != nil {
		t.Fatalf("start %s: %v\n%s", s.name, err, s.logTail())
	}
}

// TestProxy sends spans through a real proxy: by plain requests, by CONNECT, and past
// it where NO_PROXY says so.
func TestProxy(t *testing.T) {
	requireObservable(t)
	ports := freePorts(t, 3)
	plainPort, tlsPort, proxyPort := ports[0], ports[1], ports[2]
	certificate, key := newCertificate(t)
	dir := t.TempDir()
	plain, secure := dir+"/plain.json", dir+"/tls.json"
	var config collectorOf
	config.receive(overHTTP, plainPort, plain)
	config.receive(overHTTP, tlsPort, secure)
	text := strings.Replace(config.String(), fmt.Sprintf(`"127.0.0.1:%d"`, tlsPort), fmt.Sprintf(`"127.0.0.1:%d", tls: {cert_file: %q, key_file: %q}`, tlsPort, certificate, key), 1)
	if _, err := collectorAt(t, plainPort, text); err != nil {
		t.Fatal(err)
	}
	proxy := startProxy(t, proxyPort)
	address := fmt.Sprintf("http://127.0.0.1:%d", proxyPort)
	for i, tc := range []struct {
		name, url, file string
		variables       []string
		logged          string // by the proxy; "" is nothing
	}{
		{"plain", fmt.Sprintf("http://%s:%d/v1/traces", proxiedHost, plainPort), plain, []string{"HTTP_PROXY=" + address}, "POST http://" + proxiedHost},
		{"CONNECT", fmt.Sprintf("https://%s:%d/v1/traces", proxiedHost, tlsPort), secure, []string{"HTTPS_PROXY=" + address}, "CONNECT " + proxiedHost},
		{"past it", fmt.Sprintf("http://%s:%d/v1/traces", proxiedHost, plainPort), plain, []string{"HTTP_PROXY=" + address, "NO_PROXY=.e2e.test"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(proxy.printed())
			tls := ""
			if strings.HasPrefix(tc.url, "https") {
				tls = fmt.Sprintf(", tls: {ca_file: %q}", certificate)
			}
			file := writeFile(t, "procspan.yaml", fmt.Sprintf(`file_format: "1.0"
tracer_provider: {processors: [{batch: {exporter: {otlp_http: {endpoint: %q%s}}}}]}
distribution: {procspan: {capture: {args: full}}}
`, tc.url, tls))
			command := withHosts(t, tc.variables, procspanBinary(t), "exec", "--config", file, "--", "true", fmt.Sprintf("%s%d", numberedArgument, i))
			if code, out := runCommand(t, dir, command...); code != 0 || !strings.Contains(out, "delivered=1 ") {
				t.Fatalf("procspan ends with %d\n%s", code, out)
			}
			err := poll(t.Context(), startTimeout, func(context.Context) error {
				if numberedSpans(t, tc.file)[i] == nil {
					return fmt.Errorf("the span is not in %s", tc.file)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if log := proxy.printed()[before:]; tc.logged == "" && strings.Contains(log, proxiedHost) || !strings.Contains(log, tc.logged) {
				t.Errorf("the proxy has logged, want %q:\n%s", tc.logged, log)
			}
		})
	}
}

// TestProxyFails has the collector behind a proxy away, the proxy itself away, and
// something in its place that answers with pages: nothing is lost.
func TestProxyFails(t *testing.T) {
	requireObservable(t)
	ports := freePorts(t, 2)
	port, proxyPort := ports[0], ports[1]
	before := startSinkAt(t, overHTTP, port)
	proxy := startProxy(t, proxyPort)
	config := procspanConfigOver(t, overHTTP, fmt.Sprintf("%s:%d", proxiedHost, port), "")
	command := withHosts(t, []string{fmt.Sprintf("HTTP_PROXY=http://127.0.0.1:%d", proxyPort)}, procspanBinary(t), "run", "--config", config)
	daemon := startServer(t, "procspan", command[0], command[1:]...)
	daemon.await(t, "msg=observing")
	load := startLoad(t, 100)
	load.await(100)

	before.finish(t)
	// By the proxy's own page, or by a reset: it does not read what it cannot pass on.
	daemon.await(t, "export failed, will retry")
	after := startSinkAt(t, overHTTP, port)
	awaitCount(t, daemon, "export recovered", 1)

	proxy.stop()
	load.await(load.ended.Load() + 300) // some attempts are made
	pages := http.NewServeMux()
	answers := make(chan int, 1)
	answers <- http.StatusBadGateway
	pages.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		status := http.StatusServiceUnavailable
		select {
		case status = <-answers:
		default:
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<html><body><h1>%d</h1></body></html>", status)
	})
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", proxyPort))
	if err != nil {
		t.Fatal(err)
	}
	instead := &http.Server{Handler: pages}
	go instead.Serve(listener)
	daemon.await(t, "code=502")
	daemon.await(t, "code=503")
	instead.Close()
	startProxy(t, proxyPort)
	awaitCount(t, daemon, "export recovered", 2)

	total := load.stop()
	if status := daemon.stop(); status != "exit status 0" {
		t.Errorf("procspan run ends with %s on SIGTERM", status)
	}
	after.finish(t)
	found := byNumber(t, before.arrivals(t), after.arrivals(t))
	if len(found) != int(total) {
		t.Errorf("%d of %d processes arrived", len(found), total)
	}
	if lost := ledgerNumber(t, daemon, "lost"); lost != 0 {
		t.Errorf("the ledger has %d lost", lost)
	}
}

// awaitCount returns when the server has printed a text n times.
func awaitCount(t *testing.T, s *server, text string, n int) {
	t.Helper()
	err := s.awaitReady(t.Context(), func(context.Context) error {
		if got := strings.Count(s.printed(), text); got < n {
			return fmt.Errorf("it has printed %q %d times, want %d", text, got, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// newCertificate returns the files of a certificate for proxiedHost, which signs
// itself, and of its key.
func newCertificate(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: proxiedHost}, DNSNames: []string{proxiedHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, kind string, bytes []byte) string {
		return writeFile(t, name, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes})))
	}
	return file("certificate.pem", "CERTIFICATE", signed), file("key.pem", "PRIVATE KEY", encoded)
}
