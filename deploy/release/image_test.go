package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// blobs reads the image's archive: an OCI layout (image-layout.md of the OCI image
// specification).
func blobs(t *testing.T) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	archive := tar.NewReader(bytes.NewReader(read(t, filepath.Join(released, "procspan-"+testVersion+"-image.tar"))))
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

type descriptor struct {
	MediaType string
	Digest    string
	Platform  struct{ OS, Architecture string }
}

func decode[T any](t *testing.T, files map[string][]byte, d descriptor) (v T) {
	t.Helper()
	if err := json.Unmarshal(blob(t, files, d), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func blob(t *testing.T, files map[string][]byte, d descriptor) []byte {
	t.Helper()
	data, ok := files["blobs/"+strings.Replace(d.Digest, ":", "/", 1)]
	if !ok {
		t.Fatalf("there is no blob %s", d.Digest)
	}
	return data
}

type manifest struct {
	Config descriptor
	Layers []descriptor
}

type imageConfig struct {
	Architecture, OS string
	Config           struct {
		User       string
		Entrypoint []string
		Cmd        []string
		Labels     map[string]string
	}
}

func imagesOf(t *testing.T, files map[string][]byte) []descriptor {
	t.Helper()
	var index struct{ Manifests []descriptor }
	if err := json.Unmarshal(files["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	return index.Manifests
}

func TestImage(t *testing.T) {
	files := blobs(t)
	images := imagesOf(t, files)
	if len(images) != len(architectures) {
		t.Fatalf("there are %d images, want %d", len(images), len(architectures))
	}
	for i, arch := range architectures {
		m := decode[manifest](t, files, images[i])
		c := decode[imageConfig](t, files, m.Config)
		switch {
		case images[i].Platform.Architecture != arch || c.Architecture != arch || c.OS != "linux":
			t.Errorf("image %d is of %s and %s, want %s", i, images[i].Platform.Architecture, c.Architecture, arch)
		case c.Config.User != "65532:65532":
			t.Errorf("%s: the user is %q", arch, c.Config.User)
		case strings.Join(append(c.Config.Entrypoint, c.Config.Cmd...), " ") != "/procspan run":
			t.Errorf("%s: it runs %q %q", arch, c.Config.Entrypoint, c.Config.Cmd)
		case c.Config.Labels["procspan.capabilities"] != "BPF,PERFMON,SYS_PTRACE,DAC_READ_SEARCH" || c.Config.Labels["org.opencontainers.image.version"] != testVersion:
			t.Errorf("%s: labels are %q", arch, c.Config.Labels)
		case len(m.Layers) != 1:
			t.Errorf("%s: %d layers, want 1", arch, len(m.Layers))
		}
	}
}

// TestImageRuns starts the image as its manifest says: as its user, in its root,
// with the host's PID namespace, and with no capability beyond those of its label.
func TestImageRuns(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("not root: run make test-deploy, which asks for sudo")
	}
	files := blobs(t)
	arch := runtime.GOARCH
	var image manifest
	for _, d := range imagesOf(t, files) {
		if d.Platform.Architecture == arch {
			image = decode[manifest](t, files, d)
		}
	}
	root, err := os.MkdirTemp("", "procspan-image")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	unpackLayer(t, blob(t, files, image.Layers[0]), root)

	cmd := exec.Command("/procspan", "run")
	cmd.Env = []string{"PATH=/"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan error)
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	go func() {
		// The thread's mounts and bounding set are its own, and end with it.
		runtime.LockOSThread()
		started <- start(cmd, root)
		<-ended
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	mark := exec.Command("/bin/echo")
	var said strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		if strings.Contains(lines.Text(), "msg=observing") {
			if err := errors.Join(mark.Run(), cmd.Process.Signal(syscall.SIGTERM)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	// TIME EVENT COMM PID PPID FILENAME
	want := fmt.Sprintf("EXEC echo %d %d /bin/echo", mark.Process.Pid, os.Getpid())
	for line := range strings.Lines(stdout.String()) {
		if f := strings.Fields(line); len(f) > 1 && strings.Join(f[1:], " ") == want {
			return
		}
	}
	t.Errorf("%q is not among\n%s", want, &stdout)
}

// start starts the command in mounts of its own, with the capabilities of the label
// as its bound.
func start(cmd *exec.Cmd, root string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, dir := range []string{"/proc", "/sys"} {
		if err := errors.Join(os.MkdirAll(root+dir, 0o755), unix.Mount(dir, root+dir, "", unix.MS_BIND|unix.MS_REC, "")); err != nil {
			return err
		}
	}
	kept := []int{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH}
	for c := 0; c <= unix.CAP_LAST_CAP; c++ {
		if !slices.Contains(kept, c) {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
				return err
			}
		}
	}
	return cmd.Start()
}

func unpackLayer(t *testing.T, layer []byte, root string) {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(root, path.Clean("/"+h.Name))
		if h.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(to, h.FileInfo().Mode()); err != nil {
				t.Fatal(err)
			}
			continue
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, h.FileInfo().Mode()); err != nil {
			t.Fatal(err)
		}
		if capability := h.PAXRecords["SCHILY.xattr.security.capability"]; capability != "" {
			if err := unix.Setxattr(to, "security.capability", []byte(capability), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
}
