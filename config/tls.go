package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

// tlsProblem blames one of ca_file, cert_file and key_file.
type tlsProblem struct{ field, text string }

// tlsProblems returns what contradicts itself; it opens no file.
func (o OTLPGRPC) tlsProblems() (problems []tlsProblem) {
	if o.Insecure {
		for _, f := range []struct{ field, path string }{
			{"ca_file", o.TLS.CAFile}, {"cert_file", o.TLS.CertFile}, {"key_file", o.TLS.KeyFile},
		} {
			if f.path != "" {
				problems = append(problems, tlsProblem{f.field, "has no use: the endpoint is plain text; make the endpoint https://, or remove the file"})
			}
		}
		return problems
	}
	switch {
	case o.TLS.CertFile != "" && o.TLS.KeyFile == "":
		problems = append(problems, tlsProblem{"cert_file", "needs the client's private key too; give the key file"})
	case o.TLS.KeyFile != "" && o.TLS.CertFile == "":
		problems = append(problems, tlsProblem{"key_file", "needs the client's certificate too; give the certificate file"})
	}
	return problems
}

// Config reads the PEM files and returns what a TLS client needs: TLS 1.2 at
// least, the CA file's certificates in place of the system's where there is
// one, and the client's certificate where there is one.
func (t TLS) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pool, err := readPool(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA file: %w", err)
		}
		c.RootCAs = pool
	}
	if t.CertFile == "" && t.KeyFile == "" {
		return c, nil
	}
	pair, err := readPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read client certificate: %w", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

func readPool(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for n := 1; ; {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			if n == 1 {
				return nil, fmt.Errorf("%s has no certificate; it must hold PEM blocks that begin with -----BEGIN CERTIFICATE-----", path)
			}
			return pool, nil
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d is not valid: %w", path, n, err)
		}
		pool.AddCert(cert)
		n++
	}
}

func readPair(certPath, keyPath string) (tls.Certificate, error) {
	switch {
	case keyPath == "":
		return tls.Certificate{}, fmt.Errorf("%s has no key file beside it", certPath)
	case certPath == "":
		return tls.Certificate{}, fmt.Errorf("key file %s has no certificate beside it", keyPath)
	}
	cert, err := os.ReadFile(certPath)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := os.ReadFile(keyPath)
	if err != nil {
		return tls.Certificate{}, err
	}
	if block, _ := pem.Decode(key); block != nil &&
		(block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "") {
		return tls.Certificate{}, fmt.Errorf("%s is encrypted, which is not supported; decrypt it with openssl pkey", keyPath)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s with key %s: %w", certPath, keyPath, err)
	}
	return pair, nil
}
