package enrich

import "strings"

// Workload is what runs in a control group, as far as its path tells; what the
// path does not tell is empty. Where one thing runs in another, a container in
// a container for one, each field is that of the innermost.
//
// Who may make cgroups may name them: a container with a cgroup file system it
// can write to can appear to run another inside itself.
type Workload struct {
	// ContainerID is the id that the runtime gave the container, in full
	// (container.id).
	ContainerID string
	// ContainerName is the name where the runtime has names and no ids: LXC and
	// systemd-nspawn (container.name).
	ContainerName string
	// Runtime is what manages the container: docker, containerd, cri-o, podman,
	// runc, crun, buildkit, lxc, lxc-libvirt, systemd-nspawn, garden, mesos
	// (container.runtime.name).
	Runtime string
	// PodUID is that of the Kubernetes pod, with hyphens (k8s.pod.uid). That of
	// a static pod is a hash.
	PodUID string
	// QoS is the pod's class: guaranteed, burstable, besteffort.
	QoS string
	// TaskID is that of the Amazon ECS task (aws.ecs.task.id).
	TaskID string
	// Unit is the systemd unit, other than a slice, in the way that systemctl
	// writes it: nginx.service, session-3.scope. It is one of the host, or of
	// the container where that runs a systemd.
	Unit string
	// UserUnit is the unit of the user's own manager, where Unit is that
	// manager: user@1000.service.
	UserUnit string
	// Slice is the innermost slice, of whichever manager.
	Slice string
}

// ParseCgroup returns what runs in the cgroup of this path, which is one from
// /proc/PID/cgroup of either version, or relative to a cgroup namespace.
func ParseCgroup(path string) Workload {
	var p parser
	for path != "" {
		var name string
		if name, path, _ = strings.Cut(path, "/"); name != "" && name != ".." {
			p.enter(name)
		}
	}
	return p.Workload
}

// parser goes down a path.
type parser struct {
	Workload
	parent, grandparent string
	// outer is the container around the one that was entered last.
	outer container
	// inUser says that units are those of a user's manager, and placed that the
	// unit of the present manager is found: what is below belongs to it, however
	// it may be named.
	inUser, placed bool
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
	switch c, ok := p.container(name); {
	case ok:
		p.outer = container{p.ContainerID, p.ContainerName, p.Runtime}
		p.setContainer(c)
		p.inUser, p.placed = false, false // it may run a systemd of its own
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
		// A manager's slices are above its units: below a unit begins another.
		p.Slice, p.UserUnit, p.placed = name, "", false
		if !p.inUser {
			p.Unit = ""
		}
		return
	}
	switch {
	case p.placed:
	case p.inUser:
		p.UserUnit, p.placed = name, true
	default:
		p.inUser = strings.HasPrefix(name, "user@")
		p.Unit, p.UserUnit, p.placed = name, "", !p.inUser
	}
}

// pod tells whether name is a pod's cgroup: podUID, or for systemd
// kubepods-CLASS-podUID.slice, where guaranteed is no class.
func (p *parser) pod(name string) (uid, qos string, ok bool) {
	if uid, ok := strings.CutPrefix(name, "pod"); ok {
		switch p.parent {
		case "burstable", "besteffort":
			qos = p.parent
		case "kubepods":
			qos = "guaranteed"
		}
		uid, ok = podUID(uid)
		return uid, qos, ok
	}
	slice, _, _ := strings.Cut(name, ":")
	if slice, ok = strings.CutSuffix(slice, ".slice"); !ok {
		return "", "", false
	}
	i := strings.LastIndex(slice, "-pod")
	if i < 0 {
		return "", "", false
	}
	class := slice[:i]
	switch {
	case strings.HasSuffix(class, "kubepods-burstable"):
		qos = "burstable"
	case strings.HasSuffix(class, "kubepods-besteffort"):
		qos = "besteffort"
	case strings.HasSuffix(class, "kubepods"):
		qos = "guaranteed"
	default:
		return "", "", false
	}
	uid, ok = podUID(slice[i+len("-pod"):])
	return uid, qos, ok
}

func podUID(s string) (uid string, ok bool) {
	switch {
	case isUUID(s, '_'):
		return strings.ReplaceAll(s, "_", "-"), true
	case isUUID(s, '-'), isHex(s, 32):
		return s, true
	}
	return "", false
}

// task tells whether name is the cgroup of an ECS task: /ecs/ID,
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

// unitName returns the unit that systemd has put into the cgroup name, if its
// kind is one that processes run in. The underscore in front keeps a name apart
// from the kernel's own files.
func unitName(name string) (unit string, ok bool) {
	unit = strings.TrimPrefix(name, "_")
	switch dot := strings.LastIndexByte(unit, '.'); {
	case dot <= 0:
		return "", false
	default:
		switch unit[dot:] {
		case ".service", ".scope", ".slice", ".socket", ".mount", ".swap":
		default:
			return "", false
		}
	}
	for i := range len(unit) {
		switch c := unit[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte(`:-_.\@`, c) >= 0:
		default:
			return "", false
		}
	}
	return unit, true
}

// unescape undoes the \xHH in the name of a unit.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+4 <= len(s) && s[i:i+2] == `\x` && isHex(s[i+2:i+4], 2) {
			b.WriteByte(nibble(s[i+2])<<4 | nibble(s[i+3]))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func nibble(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'a' + 10
}
