package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

// checkTLS reports what ca_file, cert_file and key_file contradict; it opens no file.
func (o *OTLP) checkTLS(fail func(field, text string)) {
	ca, cert, key := o.TLS.CAFile != "", o.TLS.CertFile != "", o.TLS.KeyFile != ""
	blame := func(is bool, field, text string) {
		if is {
			fail(field, text)
		}
	}
	const unused = "has no use: the endpoint is plain text; make the endpoint https://, or remove the file"
	blame(o.Insecure && ca, "ca_file", unused)
	blame(o.Insecure && cert, "cert_file", unused)
	blame(o.Insecure && key, "key_file", unused)
	blame(!o.Insecure && cert && !key, "cert_file", "needs the client's private key; name its key file")
	blame(!o.Insecure && key && !cert, "key_file", "needs the client's certificate; name its certificate file")
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
