package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pemPair returns a self-signed certificate and its key.
func pemPair(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

func TestTLSConfig(t *testing.T) {
	dir := t.TempDir()
	cert, key := pemPair(t)
	_, otherKey := pemPair(t)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		write(t, path, text)
		return path
	}
	certFile, keyFile := file("cert.pem", cert), file("key.pem", key)
	other, bundle := file("other.pem", otherKey), file("bundle.pem", key+cert+cert)
	empty, text := file("empty.pem", ""), file("text.pem", "not PEM")
	bad := file("bad.pem", cert+"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	encrypted := file("encrypted.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	none := filepath.Join(dir, "none.pem")

	for name, tt := range map[string]struct {
		tls  TLS
		want string // in the error; "" for none
	}{
		"system's roots":     {TLS{}, ""},
		"CA":                 {TLS{CAFile: certFile}, ""},
		"CA bundle":          {TLS{CAFile: bundle}, ""},
		"client certificate": {TLS{CertFile: certFile, KeyFile: keyFile}, ""},
		"no CA file":         {TLS{CAFile: none}, "read CA file: open " + none},
		"empty CA file":      {TLS{CAFile: empty}, empty + " has no certificate"},
		"CA file of text":    {TLS{CAFile: text}, text + " has no certificate"},
		"CA file of a key":   {TLS{CAFile: keyFile}, keyFile + " has no certificate"},
		"bad certificate":    {TLS{CAFile: bad}, bad + ": certificate 2 is not valid"},
		"no key":             {TLS{CertFile: certFile}, "no key file"},
		"no certificate":     {TLS{KeyFile: keyFile}, "no certificate"},
		"missing key":        {TLS{CertFile: certFile, KeyFile: none}, "open " + none},
		"missing cert":       {TLS{CertFile: none, KeyFile: keyFile}, "open " + none},
		"key does not match": {TLS{CertFile: certFile, KeyFile: other}, "private key does not match"},
		"swapped":            {TLS{CertFile: keyFile, KeyFile: certFile}, "read client certificate: " + keyFile},
		"encrypted key":      {TLS{CertFile: certFile, KeyFile: encrypted}, "is encrypted"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := tt.tls.Config()
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("error = %v, want %q in it", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.MinVersion != tls.VersionTLS12 {
				t.Errorf("MinVersion = %x", c.MinVersion)
			}
			if (c.RootCAs != nil) != (tt.tls.CAFile != "") || (len(c.Certificates) == 1) != (tt.tls.CertFile != "") {
				t.Errorf("RootCAs %v, %d certificates", c.RootCAs != nil, len(c.Certificates))
			}
		})
	}
}
