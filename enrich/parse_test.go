package enrich

import (
	"strings"
	"testing"
)

func TestParseCgroup(t *testing.T) {
	for _, tc := range workloads {
		if got := ParseCgroup(tc.path); got != tc.want {
			t.Errorf("%s\ngot  %+v\nwant %+v", tc.path, got, tc.want)
		}
	}
}

func TestServiceName(t *testing.T) {
	for path, want := range map[string]string{
		"":                            "",
		"/system.slice/nginx.service": "nginx",
		"/system.slice/foo.service/user@1.service/x":  "foo",
		"/system.slice/docker-" + idA + ".scope":      idA[:12],
		"/garden/6f265890-5165-7fab-6b52-18d1":        "6f265890-516",
		"/lxc.payload.web/system.slice/cron.service":  "web",
		"/user.slice/user-1000.slice/session-3.scope": "",
		"/init.scope": "",
		user1000:      "",
		// Forged by user 1000: systemd-run --user --unit=nginx, or mkdir.
		user1000 + "/app.slice/nginx.service":                  "",
		user1000 + "/docker/" + idA:                            "",
		user1000 + "/lxc.payload.nginx":                        "",
		user1000 + "/lxc.payload.a/system.slice/nginx.service": "",
		user1000 + "/system.slice/nginx.service":               "",
		// By a user of the container web.
		"/lxc.payload.web" + user1000 + "/app.slice/nginx.service": "web",
		"/lxc.payload.web" + user1000 + "/lxc.payload.nginx":       "web",
	} {
		if got := ServiceName(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// The unit of any cgroup below a user's manager names the user.
func TestForgedNamesTellTheUser(t *testing.T) {
	for _, tc := range workloads {
		if w := ParseCgroup(user1000 + tc.path); w.Unit != "user@1000.service" {
			t.Errorf("%s%s: unit %q, want user@1000.service", user1000, tc.path, w.Unit)
		}
		if name := ServiceName(user1000 + tc.path); name != "" {
			t.Errorf("%s%s: service %q", user1000, tc.path, name)
		}
	}
}

func TestUnescape(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "a": "a", `a\x2db`: "a-b", `\x2d`: "-", `\x2d\x2f`: "-/", `\\x2d`: `\-`,
		`a\x2`: `a\x2`, `a\`: `a\`, `a\x`: `a\x`, `\x2g`: `\x2g`, `\x2D`: `\x2D`, `\xc3\xbc`: "ü",
	} {
		if got := unescape(s); got != want {
			t.Errorf("unescape(%q) = %q, want %q", s, got, want)
		}
	}
}

// The common paths cost no memory, but for a pod's id that systemd's rules have
// changed.
func TestParseCgroupAllocations(t *testing.T) {
	for path, want := range map[string]float64{
		"/system.slice/nginx.service":                                                          0,
		"/system.slice/docker-" + idA + ".scope":                                               0,
		user1000 + "/app.slice/my-app.service":                                                 0,
		"/kubepods/burstable/pod" + uidA + "/" + idA:                                           0,
		"/lxc.payload.web/system.slice/sshd.service":                                           0,
		"/kubepods.slice/kubepods-pod" + uidAUnder + ".slice/cri-containerd-" + idA + ".scope": 1,
	} {
		if got := testing.AllocsPerRun(100, func() { ParseCgroup(path) }); got != want {
			t.Errorf("%s: %v allocations, want %v", path, got, want)
		}
	}
}

// FuzzParseCgroup: of anything, the answer is the same twice, and made of the
// path and of words of ours.
func FuzzParseCgroup(f *testing.F) {
	for _, tc := range workloads {
		f.Add(tc.path)
	}
	known := map[string]bool{
		"": true, "docker": true, "containerd": true, "cri-o": true, "podman": true, "runc": true, "crun": true, "buildkit": true,
		"lxc": true, "lxc-libvirt": true, "systemd-nspawn": true, "garden": true, "mesos": true,
	}
	classes := map[string]bool{"": true, "guaranteed": true, "burstable": true, "besteffort": true}
	f.Fuzz(func(t *testing.T, path string) {
		w := ParseCgroup(path)
		if again := ParseCgroup(path); again != w {
			t.Fatalf("got %+v, then %+v", w, again)
		}
		for _, field := range []string{w.ContainerID, w.TaskID, w.Unit, w.UserUnit, w.Slice} {
			if !strings.Contains(path, field) {
				t.Errorf("%q is not in the path", field)
			}
		}
		if !strings.Contains(path, w.PodUID) && !strings.Contains(path, strings.ReplaceAll(w.PodUID, "-", "_")) {
			t.Errorf("pod %q is not in the path", w.PodUID)
		}
		if !strings.Contains(path, w.ContainerName) && !strings.Contains(unescape(path), w.ContainerName) {
			t.Errorf("container %q is not in the path", w.ContainerName)
		}
		if !known[w.Runtime] || !classes[w.QoS] {
			t.Errorf("an unknown word in %+v", w)
		}
		if w.ContainerID != "" && w.ContainerName != "" || w.Runtime != "" && w.ContainerID == "" && w.ContainerName == "" ||
			w.QoS != "" && w.PodUID == "" || w.UserUnit != "" && !strings.HasPrefix(w.Unit, "user@") {
			t.Errorf("fields that exclude each other in %+v", w)
		}
	})
}

func BenchmarkParseCgroup(b *testing.B) {
	for name, path := range map[string]string{
		"unit":       "/system.slice/nginx.service",
		"user":       user1000 + "/app.slice/my-app.service",
		"docker":     "/system.slice/docker-" + idA + ".scope",
		"cgroupfs":   "/kubepods/burstable/pod" + uidA + "/" + idA,
		"kubernetes": "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uidAUnder + ".slice/cri-containerd-" + idA + ".scope",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ParseCgroup(path)
			}
		})
	}
}
