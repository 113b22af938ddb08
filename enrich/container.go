package enrich

import "strings"

// container is what a cgroup's name tells about a container: an id or a name.
type container struct{ id, name, runtime string }

// containerOf reports whether name is the cgroup of a container, as opposed to its
// monitor, such as conmon and the LXC monitor.
func (p *parser) containerOf(name string) (container, bool) {
	if c, ok := p.namedContainer(name); ok {
		return c, true
	}
	// SLICE:PREFIX:ID is meant for systemd; a runtime without one takes it for a
	// name.
	if _, rest, ok := strings.Cut(name, ":"); ok {
		prefix, id, _ := strings.Cut(rest, ":")
		if prefix == "docker" && isBuild(id) {
			return container{id: id, runtime: "buildkit"}, true
		}
		runtime, ok := runtimes[prefix]
		return container{id: id, runtime: runtime}, ok && isHex(id, 64)
	}
	id := strings.TrimSuffix(name, ".scope")
	if i := len(id) - 65; i > 0 && id[i] == '-' && isHex(id[i+1:], 64) {
		runtime, ok := runtimes[id[:i]]
		return container{id: id[i+1:], runtime: runtime}, ok
	}
	switch p.parent {
	case "libpod_parent": // a pod of podman
		return container{}, false
	case "docker", "buildkit":
		if isBuild(name) {
			return container{id: name, runtime: "buildkit"}, true
		}
	case "garden":
		return container{id: name, runtime: "garden"}, isGarden(name)
	case "mesos":
		return container{id: name, runtime: "mesos"}, isUUID(name, '-')
	}
	switch {
	case isHex(name, 64):
		return container{id: name, runtime: p.runtimeAbove()}, true
	case p.inECS() && isFargate(name), p.PodUID != "" && strings.HasPrefix(p.parent, "pod") && isUUID(name, '-'):
		return container{id: name}, true
	}
	return container{}, false
}

// runtimeAbove returns the runtime whose containers have bare ids here. In a pod's
// cgroup that is docker or containerd.
func (p *parser) runtimeAbove() string {
	switch {
	case p.parent == "docker", p.parent == "buildx" && p.grandparent == "docker":
		return "docker"
	case p.parent == "default", p.parent == "k8s.io": // containerd's namespaces
		return "containerd"
	}
	return ""
}

// runtimes are the runtimes that write a prefix and a hyphen before the id. nerdctl only
// drives containerd.
var runtimes = map[string]string{
	"docker": "docker", "containerd": "containerd", "runc": "runc", "crun": "crun",
	"cri-containerd": "containerd", "nerdctl": "containerd", "crio": "cri-o",
	"libpod": "podman", "libpod-payload": "podman",
}

// namedContainer reports whether name is the cgroup of a container without an id.
func (p *parser) namedContainer(name string) (container, bool) {
	if machine, ok := strings.CutPrefix(name, "lxc.payload."); ok {
		return container{name: machine, runtime: "lxc"}, machine != ""
	}
	if p.parent == "lxc" || p.parent == "lxc.payload" {
		return container{name: name, runtime: "lxc"}, true
	}
	if service, ok := strings.CutPrefix(p.parent, "systemd-nspawn@"); ok && name != "supervisor" {
		machine, ok := strings.CutSuffix(service, ".service")
		return container{name: unescape(machine), runtime: "systemd-nspawn"}, ok && machine != ""
	}
	if p.parent != "machine.slice" {
		return container{}, false
	}
	machine, ok := strings.CutPrefix(name, "machine-")
	if !ok {
		return container{}, false
	}
	if machine, ok = strings.CutSuffix(machine, ".scope"); !ok || machine == "" {
		return container{}, false
	}
	// libvirt has its machines here, too: DRIVER-NUMBER-NAME.
	if strings.HasPrefix(machine, `qemu\x2d`) { // a virtual machine
		return container{}, false
	}
	if libvirt, ok := strings.CutPrefix(machine, `lxc\x2d`); ok {
		number, domain, _ := strings.Cut(libvirt, `\x2d`)
		return container{name: unescape(domain), runtime: "lxc-libvirt"}, isDigits(number) && domain != ""
	}
	return container{name: unescape(machine), runtime: "systemd-nspawn"}, true
}

const digits = "0123456789"

func isHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, digits+"abcdef") == ""
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, digits) == "" }

func isUUID(s string, hyphen byte) bool {
	return len(s) == 36 && s[23] == hyphen && isHex(s[24:], 12) && isGroups(s[:23], hyphen)
}

// isGarden: 8-4-4-4-4, or a UUID.
func isGarden(s string) bool {
	return isUUID(s, '-') || len(s) == 28 && s[23] == '-' && isHex(s[24:], 4) && isGroups(s[:23], '-')
}

func isGroups(s string, hyphen byte) bool {
	return s[8] == hyphen && s[13] == hyphen && s[18] == hyphen &&
		isHex(s[:8], 8) && isHex(s[9:13], 4) && isHex(s[14:18], 4) && isHex(s[19:], 4)
}

// isFargate: the id of the task and a number.
func isFargate(s string) bool {
	return len(s) > 33 && s[32] == '-' && isHex(s[:32], 32) && isDigits(s[33:])
}

// isBuild: BuildKit's id of a build step, 25 digits of base 36.
func isBuild(s string) bool {
	return len(s) == 25 && strings.Trim(s, digits+"abcdefghijklmnopqrstuvwxyz") == ""
}
