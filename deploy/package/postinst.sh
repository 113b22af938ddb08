#!/bin/sh
# After an installation or an upgrade, of a deb, rpm or apk. The arguments differ:
# deb has "configure" and the version before, rpm counts the installed versions, apk
# has the version. What the administrator can mend later does not fail here: a package
# must not stay half installed.
set -e

case "$1" in
abort-*) exit 0 ;;
esac

if command -v systemd-sysusers >/dev/null 2>&1; then
	systemd-sysusers procspan.conf
elif ! getent group procspan >/dev/null; then
	groupadd --system procspan 2>/dev/null || addgroup -S procspan
fi
# OpenRC has no dynamic users.
if [ -e /etc/init.d/procspan ] && ! getent passwd procspan-agent >/dev/null; then
	adduser -S -D -H -h /var/lib/procspan -s /sbin/nologin -G procspan -g procspan procspan-agent
fi

# The capabilities stand in the file, so its mode decides who has them.
if ! dpkg-statoverride --list /usr/bin/procspan >/dev/null 2>&1; then
	chgrp procspan /usr/bin/procspan
	chmod 0750 /usr/bin/procspan
	if ! command -v setcap >/dev/null 2>&1; then
		echo "procspan: there is no setcap; the service works, members of the group procspan need sudo" >&2
	elif ! setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search=ep /usr/bin/procspan; then
		echo "procspan: the file system keeps no capabilities; the service works, members of the group procspan need sudo" >&2
	fi
fi
# It may hold headers with secrets. A mode that was changed stays, and so does the
# absence of a file that was removed.
if [ -e /etc/procspan.yaml ] && [ "$(stat -c %G:%a /etc/procspan.yaml)" = root:640 ]; then
	chgrp procspan /etc/procspan.yaml
fi

# With daemon.persist the BPF programs observe while the agent restarts.
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload && systemctl try-restart procspan.service ||
		echo "procspan: the service did not restart; its log has the reason: journalctl -u procspan" >&2
elif command -v rc-service >/dev/null 2>&1; then
	rc-service --quiet --ifexists --ifstarted procspan restart ||
		echo "procspan: the service did not restart; its log has the reason" >&2
fi
