#!/bin/sh
# The life of the package on a Debian that systemd has booted: what the README's
# section on installation says, then an upgrade under load, removal and purge. Each
# step prints PASS or FAIL and its name; the last line is DONE.
# usage: run.sh OLD.deb NEW.deb PROCESSES
old=$1 new=$2 processes=$3
exec </dev/null >/dev/console 2>&1
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_COLORS=0 DEBIAN_FRONTEND=noninteractive
cd /test || exit

# step NAME COMMAND...: what COMMAND prints is shown when it fails.
step() {
	name=$1
	shift
	if said=$("$@" 2>&1); then
		echo "PASS $name ($(cut -d. -f1 /proc/uptime) s after boot)"
	else
		echo "FAIL $name: $said"
		journalctl -u procspan -n 20 --no-pager | cut -c 1-300
	fi
}

# within SECONDS COMMAND...: until COMMAND succeeds.
within() {
	seconds=$1 waited=0
	shift
	until "$@"; do
		waited=$((waited + 1))
		[ $waited -le "$seconds" ] || { echo "not within $seconds s: $*"; return 1; }
		sleep 1
	done
}

logged() { journalctl -u procspan --no-pager | grep -q -- "$1"; }
logged_times() { [ "$(journalctl -u procspan --no-pager | grep -c -- "$1")" -ge "$2" ]; }

owned() { # the group may execute the binary and read the configuration, others may not
	[ "$(stat -c '%U:%G %a' /usr/bin/procspan)" = "root:procspan 750" ] || { stat /usr/bin/procspan; return 1; }
	[ "$(stat -c '%U:%G %a' /etc/procspan.yaml)" = "root:procspan 640" ] || { stat /etc/procspan.yaml; return 1; }
	getcap /usr/bin/procspan | grep -q 'cap_dac_read_search,cap_sys_ptrace,cap_perfmon,cap_bpf=ep'
}

doctor() { # the service's directories are not root's
	procspan doctor --config /etc/procspan.yaml >doctor.txt && grep -Eq '^(ok|warn) +store +/var/lib' doctor.txt && # a small disk
		grep -q '^ok    exporter .*/traces.jsonl, of the service$' doctor.txt || { cat doctor.txt; return 1; }
}

unprivileged() { # the agent's user, and what it may still do
	pid=$(systemctl show -p MainPID --value procspan)
	[ "$(ps_user "$pid")" != 0 ] || { echo "it runs as root"; return 1; }
	grep -q '^CapEff:	0\{6\}8000000000$' "/proc/$pid/status" || { grep Cap "/proc/$pid/status"; return 1; } # CAP_BPF
}
ps_user() { sed -n 's/^Uid:	\([0-9]*\).*/\1/p' "/proc/$1/status"; }

file_too() { # spans go to a file as well, beside the Collector
	sed -i '0,/^  processors:$/s//&\n    - batch: {exporter: {otlp_file\/development: {output_stream: "file:\/\/\/var\/log\/procspan\/traces.jsonl"}}}/' /etc/procspan.yaml
	procspan config check /etc/procspan.yaml && grep -q /var/log/procspan /etc/procspan.yaml
}

unit_span() { # a span of the unit $1, under its name, at the Collector and in the file
	systemd-run --quiet --wait --unit "$1" /bin/sleep 0.1 || return
	for place in spans.json /var/log/procspan/traces.jsonl; do
		within 60 grep -q "\"procspan.systemd.unit\",\"value\":{\"stringValue\":\"$1\"" $place || return
	done
}

# attacked: a user without privileges tries to make a starting agent read /proc without
# end. The unit still starts and stops, and stays far below its MemoryMax.
attacked() {
	attackers=
	for role in environ cmdline "traceparents 250000"; do
		{ printf '?'; exec sleep 600; } 2>/dev/null | # each echoes the ? once its attack is set up
			HOSTILE_ROLE=$role setpriv --reuid=65534 --regid=65534 --clear-groups ./attacker >"${role%% *}.stands" 2>"${role%% *}.log" &
		attackers="$attackers $!"
	done
	withstands
	code=$?
	kill $attackers
	return $code
}
withstands() {
	for role in environ cmdline traceparents; do within 60 test -s $role.stands || { cat ./*.log; return 1; }; done
	cgroup=/sys/fs/cgroup/system.slice/procspan.service
	for again in 2 3; do
		systemctl restart procspan && within 60 logged_times msg=observing $again && unit_span attack-$again.service || return
		[ "$(systemctl show -p NRestarts --value procspan)" = 0 ] || { systemctl show procspan | grep -E 'Restarts|Result'; return 1; }
		grep -qx 'max 0' $cgroup/memory.events && [ "$(cat $cgroup/memory.peak)" -lt $((256 << 20)) ] || { cat $cgroup/memory.events $cgroup/memory.peak; return 1; }
	done
	! logged_times msg=observing 4 || { echo "it started by itself"; return 1; }
	! logged 'stop-sigterm.*timed out' || { echo "it did not stop by itself"; return 1; }
}

load() { # short processes, each with an argument of its own: at least $processes, and until the upgrade is over
	perl -e 'while ($n < $ARGV[0] || !-e "upgraded") { $n++; system "/bin/true", "load-$n" } print $n' "$processes" >count && mv count loaded
}

all_arrived() { # each process once
	[ "$(grep -o '"stringValue":"load-[0-9]*"' spans.json | sort -u | wc -l)" = "$(cat loaded)" ]
}
all_once() {
	all=$(grep -o '"stringValue":"load-[0-9]*"' spans.json | wc -l)
	[ "$all" = "$(cat loaded)" ] || { echo "$all spans of $(cat loaded) processes"; return 1; }
}

upgrade_under_load() {
	load &
	within 60 grep -q '"load-50"' spans.json || return
	dpkg -i "$new" || return
	touch upgraded
	within 600 test -e loaded || return
	within 120 all_arrived
}

persist() {
	mkdir -p /etc/systemd/system/procspan.service.d
	cp /usr/share/doc/procspan/persist.conf /etc/systemd/system/procspan.service.d/
	sed -i 's/^#    daemon:/    daemon:/; s/^#      persist: true/      persist: true/' /etc/procspan.yaml
	procspan config check /etc/procspan.yaml && systemctl daemon-reload && systemctl restart procspan && within 60 logged_times msg=observing 4
}

removed() { # the configuration stays
	dpkg -r procspan && [ ! -e /usr/bin/procspan ] && [ -e /etc/procspan.yaml ] && ! systemctl is-active procspan &&
		[ ! -e /sys/fs/bpf/procspan ]
}
purged() {
	dpkg -P procspan && for left in /etc/procspan.yaml /var/lib/procspan /var/lib/private/procspan /var/log/procspan /var/log/private/procspan /run/procspan; do
		[ ! -e $left ] || { echo "$left is left"; return 1; }
	done
}

./collector --config otelcol.yaml >collector.log 2>&1 &

step "install" dpkg -i "$old"
step "not started by the installation" sh -c '! systemctl is-active procspan'
step "who may run it" owned
step "a file beside the Collector" file_too
step "doctor" procspan doctor --config /etc/procspan.yaml
step "start" systemctl enable --now procspan
step "observing" within 60 logged msg=observing
step "without privileges" unprivileged
step "systemd-analyze security" systemd-analyze security --no-pager --threshold=30 procspan.service
step "a unit's span" unit_span hello.service
step "doctor beside the service" doctor
step "reload" systemctl reload procspan
step "the reload is logged" within 60 logged reload
step "attacked while it starts and stops" attacked
step "persist" persist
step "upgrade under load" upgrade_under_load
step "the version is new" sh -c "dpkg-query -W -f '\${Version}' procspan | grep -qxF '$(dpkg-deb -f "$new" Version)'"
step "each process once" all_once
step "the conffile is kept" grep -q '^      persist: true' /etc/procspan.yaml
step "remove" removed
step "purge" purged
echo DONE
systemctl poweroff
