package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/apk"
	_ "github.com/goreleaser/nfpm/v2/deb"
	packaged "github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// writePackage writes a deb, rpm or apk. nfpm reads files from disk: those that stage
// has laid out.
func (r *release) writePackage(format, arch string, files []file) error {
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	script := func(name string) string { return filepath.Join(r.root, "deploy/package", name+".sh") }
	info := nfpm.WithDefaults(&nfpm.Info{
		Name:            "procspan",
		Arch:            arch,
		Platform:        "linux",
		Version:         r.version,
		Section:         "admin",
		Priority:        "optional",
		Maintainer:      maintainer,
		Vendor:          "The procspan authors",
		Homepage:        "https://github.com/procspan/procspan",
		License:         "Apache-2.0",
		MTime:           r.time,
		DisableGlobbing: true,
		Description: "Every process lifetime as an OpenTelemetry span\n" +
			"procspan observes fork, exec and exit in the kernel with eBPF. It sends each\n" +
			"process lifetime, nested under the process that started it, over OTLP to an\n" +
			"OpenTelemetry Collector or any back end that takes OTLP.",
		Overridables: nfpm.Overridables{
			Contents:   r.packed(format, arch, files),
			Recommends: recommends[format],
			Scripts: nfpm.Scripts{
				PostInstall: script("postinst"), PreRemove: script("prerm"), PostRemove: script("postrm"),
			},
			RPM: nfpm.RPM{Summary: "Every process lifetime as an OpenTelemetry span", BuildHost: "localhost", Compression: "zstd"},
			Deb: nfpm.Deb{Compression: "xz"},
		},
	})
	if format == "apk" {
		// apk calls scripts by the moment. Before an upgrade there is nothing to do.
		info.Scripts.PostRemove = ""
		info.Prerelease = r.alpinePrerelease()
		info.APK.Scripts.PostUpgrade = script("postinst")
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	return r.create(packager.ConventionalFileName(info), func(w io.Writer) error { return packager.Package(info, w) })
}

// alpinePrerelease returns the part of the version after the hyphen, if any, in the
// words that apk knows (apk-package(5)): rc.1 is rc1, and what it has no word for is
// a git version, of the commit's time.
func (r *release) alpinePrerelease() string {
	_, pre, found := strings.Cut(r.version, "-")
	if !found {
		return ""
	}
	if known := alpineWord.FindStringSubmatch(pre); known != nil {
		return known[1] + known[2]
	}
	return "git" + r.time.Format("20060102150405")
}

var alpineWord = regexp.MustCompile(`^(alpha|beta|pre|rc)\.?(\d*)$`)

// recommends names what has setcap, without which only root can run procspan
// outside its unit.
var recommends = map[string][]string{
	"deb": {"libcap2-bin"},
	"rpm": {"libcap"},
}

// staged is where stage puts a file.
func (r *release) staged(arch string, f file) string {
	return filepath.Join(r.work, "stage-"+arch, f.path)
}

// stage lays the contents out on disk.
func (r *release) stage(arch string, files []file) error {
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(r.staged(arch, f)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(r.staged(arch, f), f.data, f.mode); err != nil {
			return err
		}
	}
	return nil
}

// packed returns the contents of a format as nfpm wants them.
func (r *release) packed(format, arch string, files []file) (list packaged.Contents) {
	for _, f := range files {
		if f.only != "" && f.only != format {
			continue
		}
		content := &packaged.Content{
			Source: r.staged(arch, f), Destination: f.path,
			FileInfo: &packaged.ContentFileInfo{Owner: "root", Group: "root", Mode: f.mode, MTime: r.time},
		}
		if f.config {
			content.Type = packaged.TypeConfigNoReplace
		}
		list = append(list, content)
	}
	return list
}
