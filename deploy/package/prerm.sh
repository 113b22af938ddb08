#!/bin/sh
# Before a removal or an upgrade: deb says "remove", rpm counts what stays, apk
# calls it only at a removal, with the version. Nothing here fails: the package must
# be removable.

case "$1" in
upgrade | deconfigure | failed-upgrade | [1-9]) exit 0 ;;
esac

if [ -d /run/systemd/system ]; then
	systemctl disable --now procspan.service
elif command -v systemctl >/dev/null 2>&1; then
	systemctl disable procspan.service # of a root that is not booted
elif command -v rc-service >/dev/null 2>&1; then
	rc-service --quiet --ifexists --ifstarted procspan stop
	rc-update --quiet --all delete procspan 2>/dev/null # if it was in a runlevel
fi

# BPF programs that daemon.persist left running, where a valid configuration says, else
# where they are by default.
pins=$(/usr/bin/procspan config print /etc/procspan.yaml 2>/dev/null | sed -n 's/^ *pin_directory: *"\(.*\)"$/\1/p')
if [ -n "$pins" ]; then
	set -- --config /etc/procspan.yaml
else
	pins=/sys/fs/bpf/procspan
	set --
fi
if [ -d "$pins" ]; then
	/usr/bin/procspan detach "$@"
fi
exit 0
