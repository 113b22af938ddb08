package enrich

import (
	"strconv"
	"strings"
)

// Workload describes what runs in a cgroup, by the cgroup's path; what the path
// does not tell is empty. In nested workloads, such as a container in a container,
// each field is that of the innermost.
//
// Whoever may create a cgroup chooses its name. A user does so below their own
// systemd manager, and a container or a service with a delegated cgroup inside
// itself: there any id and name can be forged. Unit is then user@UID.service, or
// that container's or service's.
type Workload struct {
	// ContainerID is the full id given by the runtime (container.id).
	ContainerID string
	// ContainerName is set for runtimes with names instead of ids: LXC and
	// systemd-nspawn (container.name).
	ContainerName string
	// Runtime manages the container: docker, containerd, cri-o, podman, runc, crun,
	// buildkit, lxc, lxc-libvirt, systemd-nspawn, garden, mesos
	// (container.runtime.name).
	Runtime string
	// PodUID is the Kubernetes pod's, with hyphens (k8s.pod.uid). A static pod's is
	// a hash.
	PodUID string
	// QoS is the pod's class: guaranteed, burstable, besteffort.
	QoS string
	// TaskID is the Amazon ECS task's (aws.ecs.task.id).
	TaskID string
	// Unit is the systemd unit, except slices, as systemctl prints it:
	// nginx.service, session-3.scope. It belongs to the host's manager, or to the
	// container's if that runs one.
	Unit string
	// UserUnit is a unit below a user's manager; Unit is then that manager:
	// user@1000.service.
	UserUnit string
	// Slice is the innermost slice, of any manager.
	Slice string
}

// ParseCgroup returns the workload of the cgroup at path, a path from
// /proc/PID/cgroup of either version, or relative to a cgroup namespace.
func ParseCgroup(path string) Workload { return parse(path, false).Workload }

// ServiceName returns the name of the container or service that runs in the cgroup
// at path, or the short form of a container's id; "" for anything else, such as a
// login session. Names below a user's manager do not count: the user chose them.
func ServiceName(path string) string {
	const short = 12 // as in docker ps
	w := parse(path, true).Workload
	switch service, ok := strings.CutSuffix(w.Unit, ".service"); {
	case w.ContainerName != "":
		return w.ContainerName
	case w.ContainerID != "":
		return w.ContainerID[:min(short, len(w.ContainerID))]
	case ok && !strings.HasPrefix(service, "user@"):
		return service
	}
	return ""
}

// parse parses path as far as a user's manager, or whole.
func parse(path string, toUser bool) (p parser) {
	for path != "" && !(toUser && p.inUser) {
		var name string
		if name, path, _ = strings.Cut(path, "/"); name != "" && name != ".." {
			p.enter(name)
		}
	}
	return p
}

// parser walks down a path.
type parser struct {
	Workload
	parent, grandparent string
	// outer is the container around the one entered last.
	outer container
	// inUser: the user of a user's manager names everything from here on.
	// inUnit: the unit of the current manager is found; everything below belongs to
	// it, whatever its name.
	inUser, inUnit bool
}

func (p *parser) enter(name string) {
	if unit, ok := unitName(name); ok {
		p.enterUnit(unit)
	}
	if uid, qos, ok := p.pod(name); ok {
		p.PodUID, p.QoS = uid, qos
	}
	if id, ok := p.task(name); ok {
		p.TaskID = id
	}
	switch c, ok := p.containerOf(name); {
	case ok:
		p.outer = container{p.ContainerID, p.ContainerName, p.Runtime}
		p.setContainer(c)
		p.inUnit = false // it may run a systemd of its own
	case name == "supervisor" && p.Runtime == "systemd-nspawn" && strings.HasPrefix(p.parent, "machine-"):
		p.setContainer(p.outer) // systemd-nspawn itself
	}
	p.grandparent, p.parent = p.parent, name
}

func (p *parser) setContainer(c container) {
	p.ContainerID, p.ContainerName, p.Runtime = c.id, c.name, c.runtime
}

func (p *parser) enterUnit(name string) {
	if strings.HasSuffix(name, ".slice") {
		// A manager's slices are above its units: below a unit another one begins.
		p.Slice, p.UserUnit, p.inUnit = name, "", false
		if !p.inUser {
			p.Unit = ""
		}
		return
	}
	switch {
	case p.inUnit:
	case p.inUser:
		p.UserUnit, p.inUnit = name, true
	default:
		p.inUser = strings.HasPrefix(name, "user@")
		p.Unit, p.UserUnit, p.inUnit = name, "", !p.inUser
	}
}

// pod reports whether name is a pod's cgroup: podUID, or for systemd
// kubepods-CLASS-podUID.slice, without a class for guaranteed.
func (p *parser) pod(name string) (uid, qos string, ok bool) {
	if uid, ok := strings.CutPrefix(name, "pod"); ok {
		uid, ok = podUID(uid)
		return uid, classes[p.parent], ok
	}
	slice, _, _ := strings.Cut(name, ":")
	slice, isSlice := strings.CutSuffix(slice, ".slice")
	i := strings.LastIndex(slice, "-pod")
	if !isSlice || i < 0 {
		return "", "", false
	}
	class := slice[max(0, strings.LastIndex(slice[:i], "kubepods")):i]
	qos, known := classes[strings.TrimPrefix(class, "kubepods-")]
	uid, ok = podUID(slice[i+len("-pod"):])
	return uid, qos, ok && known && strings.HasPrefix(class, "kubepods")
}

// classes are the classes of pods, by the name of the cgroup above them.
var classes = map[string]string{"burstable": "burstable", "besteffort": "besteffort", "kubepods": "guaranteed"}

func podUID(s string) (uid string, ok bool) {
	switch {
	case isUUID(s, '_'):
		return strings.ReplaceAll(s, "_", "-"), true
	case isUUID(s, '-'), isHex(s, 32):
		return s, true
	}
	return "", false
}

// task reports whether name is the cgroup of an ECS task: /ecs/ID,
// /ecs/CLUSTER/ID, /ecs/ID-NUMBER or ecstasks-ID.slice.
func (p *parser) task(name string) (id string, ok bool) {
	if p.inECS() {
		switch {
		case isHex(name, 32), isUUID(name, '-'):
			return name, true
		case isFargate(name):
			return name[:32], true
		}
	}
	const prefix = "ecstasks-"
	if len(name) < len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
		return "", false
	}
	id, ok = strings.CutSuffix(name[len(prefix):], ".slice")
	return id, ok && isHex(id, 32)
}

func (p *parser) inECS() bool { return p.parent == "ecs" || p.grandparent == "ecs" }

// unitName returns the unit whose cgroup systemd calls name, if it is of a type
// that processes run in. A leading underscore avoids the kernel's own file names.
func unitName(name string) (unit string, ok bool) {
	const bytes = digits + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" + `:-_.\@`
	unit = strings.TrimPrefix(name, "_")
	dot := strings.LastIndexByte(unit, '.')
	if dot <= 0 {
		return "", false
	}
	switch unit[dot:] {
	case ".service", ".scope", ".slice", ".socket", ".mount", ".swap":
		return unit, strings.Trim(unit, bytes) == ""
	}
	return "", false
}

// unescape decodes \xHH in the name of a unit.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+4 <= len(s) && s[i:i+2] == `\x` && isHex(s[i+2:i+4], 2) {
			n, _ := strconv.ParseUint(s[i+2:i+4], 16, 8)
			b.WriteByte(byte(n))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
