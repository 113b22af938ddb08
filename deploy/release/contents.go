package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// file is one that a release installs.
type file struct {
	path   string // where it goes, absolute
	mode   os.FileMode
	config bool   // the administrator's changes stay
	only   string // the one format that has it, or empty
	data   []byte
}

const (
	docs       = "/usr/share/doc/procspan/"
	maintainer = "The procspan authors <packages@procspan.example>"
)

// contents returns everything that is installed, sorted as written here.
func (r *release) contents(arch string) ([]file, error) {
	var files []file
	var failed error
	read := func(source string) []byte {
		data, err := os.ReadFile(source)
		if err != nil && failed == nil {
			failed = err
		}
		return data
	}
	add := func(path string, mode os.FileMode, data []byte) {
		files = append(files, file{path: path, mode: mode, data: data})
	}
	from := func(path, source string) { add(path, 0o644, read(filepath.Join(r.root, source))) }

	add("/usr/bin/procspan", 0o755, read(r.binary(arch)))
	files = append(files, file{path: "/etc/procspan.yaml", mode: 0o640, config: true, data: read(filepath.Join(r.root, "deploy/package/procspan.yaml"))})
	unit := read(filepath.Join(r.root, "deploy/procspan.service"))
	add("/usr/lib/systemd/system/procspan.service", 0o644, bytes.ReplaceAll(unit, []byte("/usr/local/bin/"), []byte("/usr/bin/")))
	from("/usr/lib/sysusers.d/procspan.conf", "deploy/package/procspan.sysusers")
	// Alpine's service manager; the archive is for hosts of any kind.
	files = append(files,
		file{path: "/etc/init.d/procspan", mode: 0o755, only: "apk", data: read(filepath.Join(r.root, "deploy/openrc/procspan.initd"))},
		file{path: "/etc/conf.d/procspan", mode: 0o644, only: "apk", config: true, data: read(filepath.Join(r.root, "deploy/openrc/procspan.confd"))})
	from("/usr/share/bash-completion/completions/procspan", "deploy/completions/procspan.bash")
	from("/usr/share/zsh/vendor-completions/_procspan", "deploy/completions/_procspan")
	from("/usr/share/fish/vendor_completions.d/procspan.fish", "deploy/completions/procspan.fish")
	for _, example := range []string{"persist.conf", "local-collector.conf", "alerts.yml", "grafana-dashboard.json"} {
		from(docs+example, "deploy/"+example)
	}
	from(docs+"README.md", "README.md")
	from(docs+"SECURITY.md", "SECURITY.md")
	from(docs+"CHANGELOG.md", "CHANGELOG.md")
	add(docs+"changelog.gz", 0o644, r.compress([]byte(r.changelog())))
	from("/usr/share/lintian/overrides/procspan", "deploy/package/procspan.lintian")
	add(docs+"copyright", 0o644, []byte(copyright))
	pages, err := filepath.Glob(filepath.Join(r.root, "deploy/man/*.8")) // sorted
	if err != nil || len(pages) == 0 {
		return nil, fmt.Errorf("no man pages in deploy/man (%v)", err)
	}
	for _, page := range pages {
		add("/usr/share/man/man8/"+filepath.Base(page)+".gz", 0o644, r.compress(read(page)))
	}
	return files, failed
}

// compress returns data as gzip -9n writes it: without a name and a time.
func (r *release) compress(data []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a buffer takes everything, and the level is valid
	}
	return b.Bytes()
}

// changelog is what Debian's tools read (deb-changelog(5)); people read CHANGELOG.md.
func (r *release) changelog() string {
	return fmt.Sprintf("procspan (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n",
		strings.Replace(r.version, "-", "~", 1), maintainer, r.time.Format(time.RFC1123Z))
}

// copyright is in the format of Debian's copyright files, version 1.0.
var copyright = strings.TrimLeft(`
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: procspan
Source: https://github.com/procspan/procspan

Files: *
Copyright: 2026 The procspan authors
License: Apache-2.0
 On Debian systems, the text of the license is in
 /usr/share/common-licenses/Apache-2.0.
 .
 The BPF programs, which are part of the binary, are also licensed under the GNU
 General Public License, version 2.
`, "\n")
