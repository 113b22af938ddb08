package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// imageUser is who runs in the image: nobody in particular, and in no group of
// the host.
const imageUser = "65532:65532"

// certificates are the places of the roots of TLS, as Go's crypto/x509 looks for
// them. The image has the first that the building machine has.
var certificates = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}

// writeImage writes one OCI layout, in a tar, with an image of each architecture:
// skopeo copy oci-archive:FILE docker://…, or docker load, reads it.
func (r *release) writeImage() error {
	var index v1.ImageIndex = empty.Index
	index = mutate.IndexMediaType(index, types.OCIImageIndex)
	for _, arch := range r.arch {
		image, err := r.image(arch)
		if err != nil {
			return fmt.Errorf("image of %s: %w", arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	dir := filepath.Join(r.work, "image")
	if _, err := layout.Write(dir, index); err != nil {
		return err
	}
	return r.create("procspan-"+r.version+"-image.tar", func(w io.Writer) error { return r.tarOf(w, dir) })
}

func (r *release) image(arch string) (v1.Image, error) {
	layer, err := r.layer(arch)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{CreatedBy: "make release", Created: v1.Time{Time: r.time}},
	})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: r.time}
	config.Config = v1.Config{
		User:       imageUser,
		Entrypoint: []string{"/procspan"},
		Cmd:        []string{"run"},
		Env:        []string{"PATH=/"},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "procspan",
			"org.opencontainers.image.description": "Every process lifetime as an OpenTelemetry span",
			"org.opencontainers.image.version":     r.version,
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.source":      "https://github.com/procspan/procspan",
			"org.opencontainers.image.url":         "https://github.com/procspan/procspan",
			"procspan.capabilities":                capabilityNames(),
		},
	}
	return mutate.ConfigFile(image, config)
}

// layer is the image's one layer: the binary with its capabilities, so that the
// user of the image has them, and the roots of TLS.
func (r *release) layer(arch string) (v1.Layer, error) {
	binary, err := os.ReadFile(r.binary(arch))
	if err != nil {
		return nil, err
	}
	roots, err := firstOf(certificates)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	archive := tar.NewWriter(&b)
	for _, entry := range []struct {
		header tar.Header
		data   []byte
	}{
		{tar.Header{Name: "etc/", Mode: 0o755, Typeflag: tar.TypeDir}, nil},
		{tar.Header{Name: "etc/ssl/", Mode: 0o755, Typeflag: tar.TypeDir}, nil},
		{tar.Header{Name: "etc/ssl/certs/", Mode: 0o755, Typeflag: tar.TypeDir}, nil},
		{tar.Header{Name: "etc/ssl/certs/ca-certificates.crt", Mode: 0o644, Typeflag: tar.TypeReg}, roots},
		{tar.Header{Name: "procspan", Mode: 0o755, Typeflag: tar.TypeReg, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": string(fileCapabilities())}}, binary},
	} {
		if err := r.addTo(archive, entry.header, entry.data); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer),
	)
}

func firstOf(paths []string) ([]byte, error) {
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return nil, fmt.Errorf("none of %q exists: install ca-certificates", paths)
}

// tarOf writes a folder as a tar, in the order of names.
func (r *release) tarOf(w io.Writer, dir string) error {
	archive := tar.NewWriter(w)
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if entry.IsDir() {
			return r.addTo(archive, tar.Header{Name: path + "/", Mode: 0o755, Typeflag: tar.TypeDir}, nil)
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return err
		}
		return r.addTo(archive, tar.Header{Name: path, Mode: 0o644, Typeflag: tar.TypeReg}, data)
	})
	if err != nil {
		return err
	}
	return archive.Close()
}
