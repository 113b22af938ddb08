package main

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const manifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`

// registry has the image some/image:1.2 for everybody who fetches a token first, as
// Docker Hub does, and some/liar:1, whose digest is malformed.
func registry(t *testing.T) (host string) {
	t.Helper()
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(manifest)))
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			fmt.Fprint(w, `{"token":"anonymous"}`)
			return
		case r.Header.Get("Authorization") != "Bearer anonymous":
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="test"`, server.URL))
			w.WriteHeader(http.StatusUnauthorized)
			return
		case r.URL.Path == "/v2/some/image/manifests/1.2":
			w.Header().Set("Docker-Content-Digest", digest)
		case r.URL.Path == "/v2/some/liar/manifests/1":
			w.Header().Set("Docker-Content-Digest", "sha256:abc")
		default:
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		fmt.Fprint(w, manifest)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestPin(t *testing.T) {
	host := registry(t)
	digest := fmt.Sprintf("@sha256:%x", sha256.Sum256([]byte(manifest)))
	for name, tc := range map[string]struct{ before, after, failure string }{
		"empty": {
			before: "# Images.\nX=1\nA_IMAGE=HOST/some/image:1.2\nA_DIGEST=\n\n",
			after:  "# Images.\nX=1\nA_IMAGE=HOST/some/image:1.2\nA_DIGEST=" + digest + "\n\n",
		},
		"moved": {
			before: "A_IMAGE=HOST/some/image:1.2\nA_DIGEST=@sha256:" + strings.Repeat("0", 64),
			after:  "A_IMAGE=HOST/some/image:1.2\nA_DIGEST=" + digest + "\n",
		},
		"unknown tag": {
			before:  "A_IMAGE=HOST/some/image:1.2\nA_DIGEST=\nB_IMAGE=HOST/some/image:1.3\nB_DIGEST=\n",
			failure: "HOST/some/image:1.3: HOST/some/image:1.3: not found",
		},
		"malformed digest": {
			before:  "A_IMAGE=HOST/some/liar:1\nA_DIGEST=\n",
			failure: "invalid checksum digest length",
		},
		"digest in place of a tag": {
			before:  "A_IMAGE=HOST/some/image" + digest + "\nA_DIGEST=\n",
			failure: "invalid tag",
		},
		"no image":  {before: "A_DIGEST=\n", failure: "FILE:1: no line A_IMAGE=… precedes A_DIGEST"},
		"no digest": {before: "A_IMAGE=HOST/some/image:1.2\n", failure: "FILE: no line A_DIGEST= follows A_IMAGE"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), ".env")
			filled := strings.NewReplacer("HOST", host, "FILE", path)
			if tc.failure != "" {
				tc.after = tc.before
			}
			if err := os.WriteFile(path, []byte(filled.Replace(tc.before)), 0o644); err != nil {
				t.Fatal(err)
			}
			err := pin(t.Context(), path)
			if tc.failure == "" && err != nil || tc.failure != "" && (err == nil || !strings.Contains(err.Error(), filled.Replace(tc.failure))) {
				t.Errorf("error is %v, want %q", err, filled.Replace(tc.failure))
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if want := filled.Replace(tc.after); string(got) != want {
				t.Errorf("the file is\n%s\nwant\n%s", got, want)
			}
		})
	}
}
