# Runs as root inside the clean root.
set -e
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get -qq update >&2
apt-get -qq install -y --no-install-recommends /tmp/message-store.deb >&2
mount -t proc proc /proc 2> /dev/null || true
pg_ctlcluster 15 main start >&2
psql() { runuser -u postgres -- psql -XqAt -d postgres -c "$1"; }
psql "CREATE EXTENSION message_store"
psql "SELECT message_store.write_message(NULL, 'account-1', 'Opened', '{\"owner\": \"Ada\"}')"
psql "SELECT position, type, data FROM message_store.get_stream_messages('account-1')"
pg_ctlcluster 15 main stop -m fast >&2
umount /proc 2> /dev/null || true
