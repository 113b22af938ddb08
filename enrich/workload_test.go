package enrich

import "strings"

const (
	idA  = "cde7c2bab394630a42d73dc610b9c57415dced996106665d427f6d0566594411"
	idB  = "432624d2150b349fe35ba397284dea788c2bf66b885d14dfc1569b01890ca7da"
	uidA = "90d81341-92de-11e7-8cf2-507b9d4141fa"
	uidB = "2c48913c-b29f-11e7-9350-020968147796"
	// As systemd has them in a name, where a hyphen means a level.
	uidAUnder = "90d81341_92de_11e7_8cf2_507b9d4141fa"
	uidBUnder = "2c48913c_b29f_11e7_9350_020968147796"
	static    = "9729a196c4723b60ab401eaff722982d" // a static pod's
	taskID    = "34dc0b5e626f2c5c4c5170e34b10e765"
	build     = "osh60k53lspy0g0cjo94ur00h"

	user1000 = "/user.slice/user-1000.slice/user@1000.service"
)

var (
	bare       = Workload{ContainerID: idA}
	docker     = Workload{ContainerID: idA, Runtime: "docker"}
	containerd = Workload{ContainerID: idA, Runtime: "containerd"}
	crio       = Workload{ContainerID: idA, Runtime: "cri-o"}
	podman     = Workload{ContainerID: idA, Runtime: "podman"}
	buildkit   = Workload{ContainerID: build, Runtime: "buildkit"}
)

func named(runtime, name string) Workload { return Workload{ContainerName: name, Runtime: runtime} }

func (w Workload) pod(uid, qos string) Workload     { w.PodUID, w.QoS = uid, qos; return w }
func (w Workload) task(id string) Workload          { w.TaskID = id; return w }
func (w Workload) in(slice, unit string) Workload   { w.Slice, w.Unit = slice, unit; return w }
func (w Workload) user(slice, unit string) Workload { return w.userOf("1000", slice, unit) }
func (w Workload) userOf(uid, slice, u string) Workload {
	w.Slice, w.Unit, w.UserUnit = slice, "user@"+uid+".service", u
	return w
}

// Paths as hosts have them, with a few ids for all.
var workloads = []struct {
	path string
	want Workload
}{
	// No workload.
	{"", Workload{}},
	{"/", Workload{}},
	{"/..", Workload{}},
	{"/../../../..", Workload{}},
	{"/init", Workload{}},
	{"/.lxc", Workload{}},
	{"/podruntime/kubelet", Workload{}},
	{"/process_api/c2cc410dbd07ba5be3bd4a7bf972b139", Workload{}},
	{"/user", Workload{}},
	{"/kubepods", Workload{}},
	{"/kubepods/burstable", Workload{}},

	// systemd.
	{"/init.scope", Workload{}.in("", "init.scope")},
	{"/user.slice", Workload{}.in("user.slice", "")},
	{"/system.slice", Workload{}.in("system.slice", "")},
	{"/system.slice/nginx.service", Workload{}.in("system.slice", "nginx.service")},
	{"/system.slice/docker.service", Workload{}.in("system.slice", "docker.service")},
	{"/runtime.slice/kubelet.service", Workload{}.in("runtime.slice", "kubelet.service")},
	{"/system.slice/systemd-udevd.service/udev", Workload{}.in("system.slice", "systemd-udevd.service")},
	{"/system.slice/foo.service/child", Workload{}.in("system.slice", "foo.service")},
	{"/system.slice/foo.service/payload.scope", Workload{}.in("system.slice", "foo.service")},
	{"/system.slice/foo.service/a/b.service/c", Workload{}.in("system.slice", "foo.service")},
	{"/system.slice/system-postgresql.slice/postgresql@9.4-main.service", Workload{}.in("system-postgresql.slice", "postgresql@9.4-main.service")},
	{`/system.slice/system-serial\x2dgetty.slice/serial-getty@ttyS0.service`, Workload{}.in(`system-serial\x2dgetty.slice`, "serial-getty@ttyS0.service")},
	{`/system.slice/system-systemd\x2dfsck.slice/systemd-fsck@dev-disk-by\x2duuid-67D2\x2dA2B1.service`, Workload{}.in(`system-systemd\x2dfsck.slice`, `systemd-fsck@dev-disk-by\x2duuid-67D2\x2dA2B1.service`)},
	{"/system.slice/boot-efi.mount", Workload{}.in("system.slice", "boot-efi.mount")},
	{"/system.slice/systemd-journald-dev-log.socket", Workload{}.in("system.slice", "systemd-journald-dev-log.socket")},
	{"/system.slice/dev-sda2.swap", Workload{}.in("system.slice", "dev-sda2.swap")},
	{"/system.slice/_memory.service", Workload{}.in("system.slice", "memory.service")},
	{"/system.slice/.service", Workload{}.in("system.slice", "")},
	{"/system.slice/no unit.service", Workload{}.in("system.slice", "")},
	{"/system.slice/run-r0f6b2a7f3a1f4bd3a0a5ed5a0d8b8a11.scope", Workload{}.in("system.slice", "run-r0f6b2a7f3a1f4bd3a0a5ed5a0d8b8a11.scope")},
	{"/system.slice/var-lib-docker-containers-" + idA + "-mounts-shm.mount", Workload{}.in("system.slice", "var-lib-docker-containers-"+idA+"-mounts-shm.mount")},
	{`/system.slice/run-docker-runtime\x2drunc-moby-` + idA + `-runc.a1B2c3.mount`, Workload{}.in("system.slice", `run-docker-runtime\x2drunc-moby-`+idA+`-runc.a1B2c3.mount`)},
	{"/system.slice/" + idA + ".service", Workload{}.in("system.slice", idA+".service")}, // podman's health checks
	{"/system.slice/backup-" + idA + ".service", Workload{}.in("system.slice", "backup-"+idA+".service")},
	{"/system.slice/backup-" + idA + ".scope", Workload{}.in("system.slice", "backup-"+idA+".scope")},
	{"/nomad.slice/share.slice/4744f0ea-7616-ab3a-a420-8e25056e3861.web.scope", Workload{}.in("share.slice", "4744f0ea-7616-ab3a-a420-8e25056e3861.web.scope")},
	{"/wsl-user/distro-1/systemd/system.slice/cron.service", Workload{}.in("system.slice", "cron.service")},
	{"/user.slice/user-1000.slice/session-3.scope", Workload{}.in("user-1000.slice", "session-3.scope")},
	{"/user.slice/user-0.slice/session-c1.scope", Workload{}.in("user-0.slice", "session-c1.scope")},
	{"/../../user.slice/user-501.slice/session-3.scope", Workload{}.in("user-501.slice", "session-3.scope")},
	{user1000, Workload{}.user("user-1000.slice", "")},
	{user1000 + "/init.scope", Workload{}.user("user-1000.slice", "init.scope")},
	{user1000 + "/dbus.service", Workload{}.user("user-1000.slice", "dbus.service")}, // before app.slice
	{user1000 + "/app.slice", Workload{}.user("app.slice", "")},
	{user1000 + "/app.slice/my-app.service", Workload{}.user("app.slice", "my-app.service")},
	{user1000 + "/app.slice/my-app.service/payload", Workload{}.user("app.slice", "my-app.service")},
	{user1000 + "/session.slice/org.gnome.Shell@wayland.service", Workload{}.user("session.slice", "org.gnome.Shell@wayland.service")},
	{user1000 + "/app.slice/app-flatpak-com.valvesoftware.Steam-12345.scope", Workload{}.user("app.slice", "app-flatpak-com.valvesoftware.Steam-12345.scope")},
	{user1000 + "/app.slice/app-org.gnome.Terminal.slice/vte-spawn-868f9513-eee8-457d-8e36-1b37ae8ae622.scope", Workload{}.user("app-org.gnome.Terminal.slice", "vte-spawn-868f9513-eee8-457d-8e36-1b37ae8ae622.scope")},
	{user1000 + `/app.slice/app-graphical.slice/app-Hyprland-xdg\x2dterminal\x2dexec-709acf58.scope`, Workload{}.user("app-graphical.slice", `app-Hyprland-xdg\x2dterminal\x2dexec-709acf58.scope`)},
	{user1000 + "/tmux-spawn-0267755b-4639-4a27-90ed-f19f88e53748.scope", Workload{}.user("user-1000.slice", "tmux-spawn-0267755b-4639-4a27-90ed-f19f88e53748.scope")},
	{user1000 + "/user.slice/podman-pause-651d8c4c.scope", Workload{}.user("user.slice", "podman-pause-651d8c4c.scope")},

	// Docker.
	{"/docker/" + idA, docker},
	{"/docker/" + idA + "/init", docker},
	{"/../" + idA, bare},
	{"/" + idA, bare}, // its lxc driver, once
	{"/docker/buildx/" + idA, docker},
	{"/docker", Workload{}},
	{"/docker/cde7c2bab394", Workload{}},            // not in full
	{"/docker/" + strings.ToUpper(idA), Workload{}}, // no runtime writes it so
	{"/docker/" + idA + "0", Workload{}},            // a digit too many
	{"/docker/" + idA[:63] + "g", Workload{}},       // not hexadecimal
	{"/actions_job/" + idA, bare},                   // GitHub's runner
	{"/azpl_job/" + idA, bare},                      // that of Azure Pipelines
	{"/nomad.slice/docker-" + idA + ".scope", docker.in("nomad.slice", "docker-"+idA+".scope")},
	{"/system.slice/docker-" + idA + ".scope", docker.in("system.slice", "docker-"+idA+".scope")},
	{"/system.slice/docker-" + idA + ".scope/init", docker.in("system.slice", "docker-"+idA+".scope")},
	{user1000 + "/user.slice/docker-" + idA + ".scope", docker.user("user.slice", "docker-"+idA+".scope")},
	{user1000 + "/docker.service", Workload{}.user("user-1000.slice", "docker.service")},
	{"/system.slice/system.slice:docker:" + idA, docker.in("system.slice", "")},
	{"/system.slice/docker.service/system.slice:docker:" + idA, docker.in("system.slice", "docker.service")},

	// BuildKit.
	{"/system.slice/system.slice:docker:" + build, buildkit.in("system.slice", "")},
	{"/docker/" + build, buildkit},
	{"/docker/buildkit/" + build, buildkit},
	{"/buildkit/" + build, buildkit},
	{"/docker/buildx/" + idA + "/buildkit/" + build, buildkit},
	{"/system.slice/buildkit.service", Workload{}.in("system.slice", "buildkit.service")},
	{"/elsewhere/" + build, Workload{}},

	// containerd and nerdctl.
	{"/default/" + idA, containerd},
	{"/default/" + idA + "/init.scope", containerd.in("", "init.scope")},
	{"/k8s.io/" + idA, containerd},
	{"/default/test-alpine", Workload{}}, // any name will do for ctr
	{"/system.slice/nerdctl-" + idA + ".scope", containerd.in("system.slice", "nerdctl-"+idA+".scope")},
	{user1000 + "/user.slice/nerdctl-" + idA + ".scope", containerd.user("user.slice", "nerdctl-"+idA+".scope")},
	{"/system.slice/cri-containerd-" + idA + ".scope", containerd.in("system.slice", "cri-containerd-"+idA+".scope")},
	{"/system.slice/system.slice:containerd:" + idA, containerd.in("system.slice", "")},
	{"/system.slice/runc-" + idA + ".scope", Workload{ContainerID: idA, Runtime: "runc"}.in("system.slice", "runc-"+idA+".scope")},
	{"/system.slice/containerd.service", Workload{}.in("system.slice", "containerd.service")},

	// CRI-O.
	{"/../crio-" + idA + ".scope", crio.in("", "crio-"+idA+".scope")},
	{"/system.slice/crio-" + idA + ".scope", crio.in("system.slice", "crio-"+idA+".scope")},
	{"/system.slice/crio-conmon-" + idA + ".scope", Workload{}.in("system.slice", "crio-conmon-"+idA+".scope")},

	// Podman.
	{"/machine.slice/libpod-" + idA + ".scope", podman.in("machine.slice", "libpod-"+idA+".scope")},
	{"/machine.slice/libpod-" + idA + ".scope/container", podman.in("machine.slice", "libpod-"+idA+".scope")},
	{"/machine.slice/libpod-" + idA + ".scope/container/system.slice/sshd.service", podman.in("system.slice", "sshd.service")},
	{"/machine.slice/libpod-conmon-" + idA + ".scope", Workload{}.in("machine.slice", "libpod-conmon-"+idA+".scope")},
	{"/machine.slice/machine-libpod_pod_" + idB + ".slice/libpod-" + idA + ".scope", podman.in("machine-libpod_pod_"+idB+".slice", "libpod-"+idA+".scope")},
	{"/libpod_parent/libpod-" + idA, podman},
	{"/libpod_parent/libpod-" + idA + "/ctr", podman},
	{"/libpod_parent/" + idB + "/libpod-" + idA, podman},
	{"/libpod_parent/" + idB, Workload{}},
	{"/libpod_parent/conmon", Workload{}},
	{"/libpod_parent/libpod-conmon-" + idA, Workload{}},
	{"/system.slice/web.service/libpod-payload-" + idA, podman.in("system.slice", "web.service")},
	{"/system.slice/web.service/runtime", Workload{}.in("system.slice", "web.service")},
	{"/QM.slice/qm.service/libpod-payload-" + idA + "/system.slice/dbus-broker.service", podman.in("system.slice", "dbus-broker.service")},
	{"/QM.slice/qm.service/libpod-payload-" + idA + "/init.scope", podman.in("QM.slice", "init.scope")},
	{user1000 + "/user.slice/libpod-" + idA + ".scope/container", podman.user("user.slice", "libpod-"+idA+".scope")},
	{user1000 + "/user.slice/libpod-conmon-" + idA + ".scope", Workload{}.user("user.slice", "libpod-conmon-"+idA+".scope")},
	{user1000 + "/user.slice/user-libpod_pod_" + idB + ".slice/libpod-" + idA + ".scope", podman.user("user-libpod_pod_"+idB+".slice", "libpod-"+idA+".scope")},
	{user1000 + "/app.slice/my_container.service/libpod-payload-" + idA, podman.user("app.slice", "my_container.service")},
	{user1000 + "/user.slice/libpod-" + idA + ".scope/container/system.slice/nginx.service", podman.user("system.slice", "nginx.service")},
	{user1000 + "/app.slice/crun-buildah-buildah1059824916.scope/container", Workload{}.user("app.slice", "crun-buildah-buildah1059824916.scope")},

	// Kubernetes, the kubelet's cgroupfs driver.
	{"/kubepods/burstable/pod" + uidA + "/" + idA, bare.pod(uidA, "burstable")},
	{"/kubepods/besteffort/pod" + uidA + "/" + idA, bare.pod(uidA, "besteffort")},
	{"/kubepods/pod" + uidA + "/" + idA, bare.pod(uidA, "guaranteed")},
	{"/kubepods/pod" + uidA, Workload{}.pod(uidA, "guaranteed")},
	{"/kubepods/pod" + uidAUnder + "/" + idA, bare.pod(uidA, "guaranteed")},
	{"/kubepods/burstable/pod" + static + "/" + idA, bare.pod(static, "burstable")},
	{"/kubepods/besteffort/pod" + uidA + "/" + idA + "/kube-proxy", bare.pod(uidA, "besteffort")},
	{"/kubepods/besteffort/pod" + uidA + "/" + uidB, Workload{ContainerID: uidB}.pod(uidA, "besteffort")}, // frakti
	{"/kubepods/kubepods/besteffort/pod" + uidA + "/" + idA, bare.pod(uidA, "besteffort")},                // Docker Desktop
	{"/kubepods/pod" + uidA + "/crio-" + idA, crio.pod(uidA, "guaranteed")},
	{"/kubepods/pod" + uidA + "/crio-conmon-" + idA, Workload{}.pod(uidA, "guaranteed")},
	{"/kubepods/" + idA, bare},
	{"/../../../burstable/pod" + uidA + "/" + idA, bare.pod(uidA, "burstable")},
	{"/../pod" + uidA + "/" + idA, bare.pod(uidA, "")},
	{"/kubepods/burstable/pod1234/" + idA, bare},
	{"/kubepods/burstable/podman", Workload{}},
	{"/mesos/" + uidA + "/mesos/" + uidB + "/kubepods/besteffort/pod" + uidA + "/" + idA, bare.pod(uidA, "besteffort")},
	{"/user.slice/user-1001.slice/user@1001.service/u7s-rootlesskit.service/kubepods/burstable/pod" + uidA + "/" + idA, bare.pod(uidA, "burstable").userOf("1001", "user-1001.slice", "u7s-rootlesskit.service")},

	// The systemd driver.
	{"/kubepods.slice", Workload{}.in("kubepods.slice", "")},
	{"/kubepods.slice/kubepods-burstable.slice", Workload{}.in("kubepods-burstable.slice", "")},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uidAUnder + ".slice/cri-containerd-" + idA + ".scope", containerd.pod(uidA, "burstable").in("kubepods-burstable-pod"+uidAUnder+".slice", "cri-containerd-"+idA+".scope")},
	{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + uidAUnder + ".slice/crio-" + idA + ".scope", crio.pod(uidA, "besteffort").in("kubepods-besteffort-pod"+uidAUnder+".slice", "crio-"+idA+".scope")},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uidAUnder + ".slice/crio-" + idA + ".scope/container", crio.pod(uidA, "burstable").in("kubepods-burstable-pod"+uidAUnder+".slice", "crio-"+idA+".scope")},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uidAUnder + ".slice/crio-conmon-" + idA + ".scope", Workload{}.pod(uidA, "burstable").in("kubepods-burstable-pod"+uidAUnder+".slice", "crio-conmon-"+idA+".scope")},
	{"/kubepods.slice/kubepods-pod" + uidAUnder + ".slice/docker-" + idA + ".scope", docker.pod(uidA, "guaranteed").in("kubepods-pod"+uidAUnder+".slice", "docker-"+idA+".scope")},
	{"/kubepods.slice/kubepods-pod" + uidAUnder + ".slice", Workload{}.pod(uidA, "guaranteed").in("kubepods-pod"+uidAUnder+".slice", "")},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + static + ".slice/cri-containerd-" + idA + ".scope", containerd.pod(static, "burstable").in("kubepods-burstable-pod"+static+".slice", "cri-containerd-"+idA+".scope")},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uidA + ".slice/docker-" + idA + ".scope", docker.pod(uidA, "burstable").in("kubepods-burstable-pod"+uidA+".slice", "docker-"+idA+".scope")},
	{"/../kubepods-besteffort-pod" + uidAUnder + ".slice/cri-containerd-" + idA + ".scope", containerd.pod(uidA, "besteffort").in("kubepods-besteffort-pod"+uidAUnder+".slice", "cri-containerd-"+idA+".scope")},
	{"/other-pod" + uidAUnder + ".slice/a.service", Workload{}.in("other-pod"+uidAUnder+".slice", "a.service")},

	// A systemd driver's paths without a systemd.
	{"/kubepods-besteffort-pod" + uidAUnder + ".slice:cri-containerd:" + idA, containerd.pod(uidA, "besteffort")},
	{"/system.slice/containerd.service/kubepods-burstable-pod" + uidAUnder + ".slice:cri-containerd:" + idA, containerd.pod(uidA, "burstable").in("system.slice", "containerd.service")},
	{"/system.slice/containerd.service/kubepods-pod" + uidAUnder + ".slice:cri-containerd:" + idA, containerd.pod(uidA, "guaranteed").in("system.slice", "containerd.service")},
	{"/kubepods.slice:cri-containerd:abc123", Workload{}},
	{"/kubepods.slice:cri-containerd:" + idA + ":extra", Workload{}},
	{"/kubepods.slice:other:" + idA, Workload{}},

	// One in the other.
	{"/docker/" + idB + "/docker/" + idA, docker},
	{"/docker/" + idB + "/kubelet.slice", Workload{ContainerID: idB, Runtime: "docker"}.in("kubelet.slice", "")},
	{"/docker/" + idB + "/kubepods/besteffort/pod" + uidA + "/" + idA, bare.pod(uidA, "besteffort")},
	{"/docker/" + idB + "/kubelet/kubepods/burstable/pod" + uidA + "/" + idA, bare.pod(uidA, "burstable")},
	{"/docker/" + idB + "/system.slice/containerd.service", Workload{ContainerID: idB, Runtime: "docker"}.in("system.slice", "containerd.service")},
	{"/system.slice/docker-" + idB + ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" + uidAUnder + ".slice/cri-containerd-" + idA + ".scope", containerd.pod(uidA, "besteffort").in("kubelet-kubepods-besteffort-pod"+uidAUnder+".slice", "cri-containerd-"+idA+".scope")},
	{"/system.slice/docker-" + idB + ".scope/kubelet/kubepods/pod" + uidA + "/" + idA, bare.pod(uidA, "guaranteed").in("system.slice", "docker-"+idB+".scope")},
	{"/machine.slice/libpod-" + idB + ".scope/container/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + uidAUnder + ".slice/cri-containerd-" + idA + ".scope", containerd.pod(uidA, "guaranteed").in("kubelet-kubepods-pod"+uidAUnder+".slice", "cri-containerd-"+idA+".scope")},
	{"/kubepods/burstable/pod" + uidA + "/" + idB + "/docker/" + idA, docker.pod(uidA, "burstable")},
	{"/kubepods/burstable/pod" + uidA + "/" + idB + "/kubepods/pod" + uidB + "/" + idA, bare.pod(uidB, "guaranteed")},
	{"/kubepods.slice/kubepods-pod" + uidAUnder + ".slice/cri-containerd-" + idB + ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" + uidBUnder + ".slice/cri-containerd-" + idA + ".scope", containerd.pod(uidB, "burstable").in("kubelet-kubepods-burstable-pod"+uidBUnder+".slice", "cri-containerd-"+idA+".scope")},
	{"/actions_job/" + idB + "/kubepods/burstable/pod" + static + "/" + idA, bare.pod(static, "burstable")},
	{"/lxc.payload.web/system.slice/docker-" + idA + ".scope", docker.in("system.slice", "docker-"+idA+".scope")},

	// Amazon ECS.
	{"/ecs/55091c13-b8cf-4801-b527-f4601742204d/" + idA, bare.task("55091c13-b8cf-4801-b527-f4601742204d")},
	{"/ecs/" + taskID + "/" + idA, bare.task(taskID)},
	{"/ecs/my-cluster/" + taskID + "/" + idA, bare.task(taskID)},
	{"/ecs/" + taskID + "-1234567890", Workload{ContainerID: taskID + "-1234567890"}.task(taskID)},
	{"/ecs/" + taskID + "/" + taskID + "-3054012820", Workload{ContainerID: taskID + "-3054012820"}.task(taskID)},
	{"/ecs/" + taskID, Workload{}.task(taskID)},
	{"/ecs/my-cluster", Workload{}},
	{"/other/" + taskID + "-1234567890", Workload{}},
	{"/ecstasks.slice/ecstasks-" + taskID + ".slice/docker-" + idA + ".scope", docker.task(taskID).in("ecstasks-"+taskID+".slice", "docker-"+idA+".scope")},
	{"/ECSTasks.slice/ECSTasks-" + taskID + ".slice/docker-" + idA + ".scope", docker.task(taskID).in("ECSTasks-"+taskID+".slice", "docker-"+idA+".scope")},
	{"/system.slice/ecs.service", Workload{}.in("system.slice", "ecs.service")},

	// LXC, LXD and Incus, Proxmox.
	{"/lxc/web", named("lxc", "web")},
	{"/lxc/101/ns/init.scope", named("lxc", "101").in("", "init.scope")},
	{"/lxc.monitor/101", Workload{}},
	{"/lxc.payload/web/system.slice/cron.service", named("lxc", "web").in("system.slice", "cron.service")},
	{"/lxc.payload.web", named("lxc", "web")},
	{"/lxc.payload.project_web/system.slice/sshd.service", named("lxc", "project_web").in("system.slice", "sshd.service")},
	{"/lxc.payload.web/user.slice/user-1000.slice/user@1000.service/app.slice/a.service", named("lxc", "web").user("app.slice", "a.service")},
	{"/lxc.payload.web/.lxc", named("lxc", "web")},
	{"/lxc.payload.outer/lxc.payload.inner/init.scope", named("lxc", "inner").in("", "init.scope")},
	{"/lxc.payload.outer/lxc.monitor.inner", named("lxc", "outer")},
	{"/lxc.monitor.web", Workload{}},
	{"/lxc.payload.", Workload{}},
	{"/lxc", Workload{}},
	{"/osctl/pool.tank/group.default/user.alice/ct.ct1/user-owned/lxc.payload.ct1", named("lxc", "ct1")},

	// systemd-nspawn, and what else has machines.
	{"/machine.slice/machine-web.scope", named("systemd-nspawn", "web").in("machine.slice", "machine-web.scope")},
	{`/machine.slice/machine-my\x2dbox.scope/payload/system.slice/sshd.service`, named("systemd-nspawn", "my-box").in("system.slice", "sshd.service")},
	{"/machine.slice/machine-web.scope/supervisor", Workload{}.in("machine.slice", "machine-web.scope")},
	{"/lxc.payload.outer/machine.slice/machine-web.scope/supervisor", named("lxc", "outer").in("machine.slice", "machine-web.scope")},
	{"/machine.slice/systemd-nspawn@web.service/payload", named("systemd-nspawn", "web").in("machine.slice", "systemd-nspawn@web.service")},
	{`/machine.slice/systemd-nspawn@my\x2dbox.service/payload/init.scope`, named("systemd-nspawn", "my-box").in("machine.slice", "init.scope")},
	{"/machine.slice/systemd-nspawn@web.service/supervisor", Workload{}.in("machine.slice", "systemd-nspawn@web.service")},
	{"/machine.slice/systemd-nspawn@web.service", Workload{}.in("machine.slice", "systemd-nspawn@web.service")},
	{"/machine.slice/systemd-nspawn@web.service/system.slice/a.service", named("systemd-nspawn", "web").in("system.slice", "a.service")},
	{`/machine.slice/machine-qemu\x2d18\x2dtest10.scope/libvirt/emulator`, Workload{}.in("machine.slice", `machine-qemu\x2d18\x2dtest10.scope`)},
	{`/machine.slice/machine-lxc\x2d969\x2dhub01.scope/libvirt`, named("lxc-libvirt", "hub01").in("machine.slice", `machine-lxc\x2d969\x2dhub01.scope`)},
	{"/machine.slice/machine-.scope", Workload{}.in("machine.slice", "machine-.scope")},
	{"/machine.slice/machine-test.slice", Workload{}.in("machine-test.slice", "")},
	{"/qemu.slice/101.scope", Workload{}.in("qemu.slice", "101.scope")},

	// Cloud Foundry and Mesos.
	{"/garden/6f265890-5165-7fab-6b52-18d1", Workload{ContainerID: "6f265890-5165-7fab-6b52-18d1", Runtime: "garden"}},
	{"/system.slice/garden.service/garden/70eb4ce5-a065-4401-6990-88ed", Workload{ContainerID: "70eb4ce5-a065-4401-6990-88ed", Runtime: "garden"}.in("system.slice", "garden.service")},
	{"/garden/" + uidA, Workload{ContainerID: uidA, Runtime: "garden"}},
	{"/mesos/" + uidA, Workload{ContainerID: uidA, Runtime: "mesos"}},
	{"/mesos/" + uidA + "/mesos/" + uidB, Workload{ContainerID: uidB, Runtime: "mesos"}},
}
