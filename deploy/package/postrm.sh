#!/bin/sh
# After a removal or an upgrade. What waited on disk goes at a purge; rpm and apk have
# no purge, and leave it.
set -e

if [ "$1" = purge ]; then
	rm -rf /var/lib/procspan /var/lib/private/procspan /run/procspan
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
