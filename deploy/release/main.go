// Command release writes what one installs into a directory: for amd64 and arm64 a
// tar.gz, a deb, an rpm and an apk, an OCI image for both, a bill of materials for
// each binary, and SHA256SUMS. It needs Go and git, and neither root nor Docker.
//
// Two runs on the same commit with the same Go write the same bytes: all times are
// the commit's. Run it in the module's root folder, or by make release.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/semver"
)

// architectures are Go's names of what is released.
var architectures = []string{"amd64", "arm64"}

// formats are what is written: the first ones for each architecture.
var formats = []string{"tar.gz", "sbom", "deb", "rpm", "apk", "image"}

// release is what all files of one release share.
type release struct {
	root    string   // the checkout
	out     string   // where files go
	work    string   // temporary
	version string   // semantic, without v
	arch    []string // of architectures
	formats []string
	time    time.Time // of the commit: the time of each file
}

func main() {
	root := flag.String("root", ".", "the checkout's `folder`")
	out := flag.String("out", "dist", "the `folder` to write to: it is emptied first")
	version := flag.String("version", "", "the semantic `version` (default: the tag of the commit, else 0.0.0-dev and the commit)")
	arch := flag.String("arch", strings.Join(architectures, ","), "the `architectures`")
	format := flag.String("format", strings.Join(formats, ","), "the `formats`")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, *root, *out, *version, strings.Split(*arch, ","), strings.Split(*format, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, out, version string, arch, format []string) error {
	r, err := newRelease(ctx, root, out, version)
	if err != nil {
		return err
	}
	defer os.RemoveAll(r.work)
	if r.arch, err = chosen(arch, architectures); err != nil {
		return err
	}
	if r.formats, err = chosen(format, formats); err != nil {
		return err
	}
	fmt.Printf("procspan %s of %s\n", r.version, r.time.Format(time.DateTime))
	for _, arch := range r.arch {
		if err := r.build(ctx, arch); err != nil {
			return err
		}
		files, err := r.contents(arch)
		if err != nil {
			return err
		}
		if err := r.stage(arch, files); err != nil {
			return err
		}
		for _, format := range r.formats {
			if err := r.write(format, arch, files); err != nil {
				return fmt.Errorf("%s of %s: %w", format, arch, err)
			}
		}
	}
	if slices.Contains(r.formats, "image") {
		if err := r.writeImage(); err != nil {
			return err
		}
	}
	return r.writeSums()
}

// chosen returns the names if all of them are known.
func chosen(names, known []string) ([]string, error) {
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%q is none of %s", name, strings.Join(known, ", "))
		}
	}
	return names, nil
}

// write writes one format of one architecture.
func (r *release) write(format, arch string, files []file) error {
	switch format {
	case "tar.gz":
		return r.writeArchive(arch, files)
	case "sbom":
		return r.writeSBOM(arch)
	case "image": // one for all
		return nil
	default:
		return r.writePackage(format, arch, files)
	}
}

// onlyRelease returns an error if a folder holds anything but a release, which may be
// removed.
func onlyRelease(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if name := entry.Name(); entry.IsDir() || !strings.HasPrefix(name, "procspan") && !strings.HasPrefix(name, "SHA256SUMS") {
			return fmt.Errorf("%s would be emptied, and %s in it belongs to no release: name another folder", folder, name)
		}
	}
	return nil
}

// newRelease empties out.
func newRelease(ctx context.Context, root, out, version string) (r *release, err error) {
	commitTime, err := git(ctx, root, "log", "-1", "--format=%ct")
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.ParseInt(commitTime, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the commit's time: %w", err)
	}
	if version == "" {
		if version, err = versionOf(ctx, root); err != nil {
			return nil, err
		}
	}
	version = strings.TrimPrefix(version, "v")
	if !semver.IsValid("v"+version) || strings.Count(strings.SplitN(version, "-", 2)[0], ".") != 2 {
		return nil, fmt.Errorf("%q is no semantic version, such as 0.1.0 or 0.2.0-rc.1 (https://semver.org)", version)
	}
	if err := onlyRelease(out); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "procspan-release")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.RemoveAll(out), os.MkdirAll(out, 0o755)); err != nil {
		return nil, err
	}
	return &release{root: root, out: out, work: work, version: version, time: time.Unix(seconds, 0).UTC()}, nil
}

// versionOf returns the version that the checkout's commit is tagged with.
func versionOf(ctx context.Context, root string) (string, error) {
	tags, err := git(ctx, root, "tag", "--points-at", "HEAD")
	if err != nil {
		return "", err
	}
	versions := slices.DeleteFunc(strings.Fields(tags), func(tag string) bool { return !semver.IsValid(tag) })
	if len(versions) > 0 {
		semver.Sort(versions)
		version := versions[len(versions)-1]
		return version, inChangelog(root, version)
	}
	commit, err := git(ctx, root, "rev-parse", "--short=12", "HEAD")
	return "0.0.0-dev." + commit, err
}

// inChangelog returns an error if CHANGELOG.md has no section about a version.
func inChangelog(root, version string) error {
	changelog, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	heading := "\n## [" + strings.TrimPrefix(version, "v") + "] - "
	if semver.Prerelease(version) == "" && !strings.Contains(string(changelog), heading) {
		return fmt.Errorf("the commit is tagged %s, and CHANGELOG.md has no line %q: rename the section [Unreleased]",
			version, strings.TrimSpace(heading)+" DATE")
	}
	return nil
}

func git(ctx context.Context, root string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...).Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w; a release is made from a git checkout", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// build compiles the binary as make build does.
func (r *release) build(ctx context.Context, arch string) error {
	binary, err := filepath.Abs(r.binary(arch))
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w -X main.version="+r.version, "-o", binary, "./cmd/procspan")
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build for %s: %w\n%s", arch, err, out)
	}
	return nil
}

// binary returns the path of the binary of an architecture.
func (r *release) binary(arch string) string { return filepath.Join(r.work, "procspan-"+arch) }

// create makes a file of the release.
func (r *release) create(name string, write func(io.Writer) error) error {
	f, err := os.Create(filepath.Join(r.out, name))
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", name, err)
	}
	return f.Close()
}

// writeSums writes SHA256SUMS, as sha256sum --check reads it.
func (r *release) writeSums() error {
	entries, err := os.ReadDir(r.out) // sorted
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(r.out, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), entry.Name())
		fmt.Printf("%9d %s\n", len(data), entry.Name())
	}
	return r.create("SHA256SUMS", func(w io.Writer) error {
		_, err := io.WriteString(w, sums.String())
		return err
	})
}
