#!/bin/sh
# After a removal or an upgrade. What waited on disk, and files of spans, go at a
# purge; rpm and apk have no purge, and leave them.
set -e

if [ "$1" = purge ]; then
	rm -rf /var/lib/procspan /var/lib/private/procspan /var/log/procspan /var/log/private/procspan /run/procspan
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
