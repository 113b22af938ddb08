package deliver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	key, der := sign(t, template, template, nil)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert: cert, key: key, pool: pool}
}

// issue returns a certificate for server and client, for the address ip.
func (a *authority) issue(t *testing.T, ip string, expires time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test"},
		NotBefore: expires.Add(-time.Hour), NotAfter: expires, IPAddresses: []net.IP{net.ParseIP(ip)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	key, der := sign(t, template, a.cert, a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// sign makes a key and its certificate, signed by the parent's key or, when
// that is nil, by itself.
func sign(t *testing.T, template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	good := ca.issue(t, "127.0.0.1", soon)
	mutual := &tls.Config{Certificates: []tls.Certificate{good}, ClientCAs: ca.pool, ClientAuth: tls.RequireAndVerifyClientCert}

	for _, tc := range []struct {
		name   string
		server *tls.Config // nil: plain text
		client *tls.Config // nil: plain text
		hint   string      // "" when spans arrive
	}{
		{"TLS", &tls.Config{Certificates: []tls.Certificate{good}}, &tls.Config{RootCAs: ca.pool}, ""},
		{"mTLS", mutual, &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", soon)}}, ""},
		{"mTLS, no client certificate", mutual, &tls.Config{RootCAs: ca.pool}, "tls.cert_file and tls.key_file"},
		{"mTLS, a stranger's certificate", mutual, &tls.Config{RootCAs: ca.pool,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				cert := other.issue(t, "127.0.0.1", soon)
				return &cert, nil
			}}, "tls.cert_file and tls.key_file"},
		{"unknown authority", &tls.Config{Certificates: []tls.Certificate{good}}, &tls.Config{RootCAs: other.pool}, "tls.ca_file"},
		{"system's roots", &tls.Config{Certificates: []tls.Certificate{good}}, &tls.Config{}, "tls.ca_file"},
		{"another name", &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "10.0.0.1", soon)}}, &tls.Config{RootCAs: ca.pool}, "use a name from the collector's certificate"},
		{"expired", &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", past)}}, &tls.Config{RootCAs: ca.pool}, "renew the collector's certificate"},
		{"server speaks plain text", nil, &tls.Config{RootCAs: ca.pool}, "use http://"},
		{"client speaks plain text", &tls.Config{Certificates: []tls.Certificate{good}}, nil, "https:// if it expects TLS"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var options []grpc.ServerOption
			if tc.server != nil {
				options = append(options, grpc.Creds(credentials.NewTLS(tc.server)))
			}
			c := newCollector().listen(t, "", options...)
			o, out := testOptions(t)
			o.Traces[0].TLS, o.Traces[0].Exporter.OTLPGRPC.Insecure = tc.client, tc.client == nil
			o.Traces[0].Exporter.OTLPGRPC.Target = c.addr
			e, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Shutdown(canceled(t))
			export(e, 10)
			if tc.hint == "" {
				c.wait(t, 10)
				return
			}
			waitLog(t, out, "export failed, will retry")
			if out.count(tc.hint) != 1 {
				t.Errorf("want the hint %q:\n%s", tc.hint, out)
			}
		})
	}
}
