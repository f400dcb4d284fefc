#!/usr/bin/env bash
# Builds the Debian package postgresql-N-message-store into dist/ (or the folder given), for the Postgres of PG_CONFIG.
# Needs what make install needs, and dpkg-dev.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
destination=$(realpath -m "${1:-$repository/dist}")
pg_config=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}
major=$("$pg_config" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
package=postgresql-$major-message-store
version=$("$repository/packaging/version.sh")-1
architecture=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/$package

(cd "$repository/pg_ext" && cargo pgrx package --pg-config "$pg_config" --out-dir "$root" > "$work/log" 2>&1) ||
    { cat "$work/log"; exit 1; }
library=$(find "$root" -name message_store.so)
strip --strip-unneeded "$library"
documents=$root/usr/share/doc/$package
mkdir -p "$documents" "$root/DEBIAN" "$work/debian" "$destination"
cp "$repository/LICENSE" "$documents/copyright"
gzip -9nc "$repository/CHANGELOG.md" > "$documents/changelog.gz"

# What the library needs of libc and others, as dpkg reads it off its symbols.
touch "$work/debian/control"
needed=$(cd "$work" && dpkg-shlibdeps -O --ignore-missing-info -e"$library" 2> /dev/null | sed 's/^shlibs:Depends=//')
cat > "$root/DEBIAN/control" <<CONTROL
Package: $package
Version: $version
Architecture: $architecture
Maintainer: Message Store <maintainers@message-store.invalid>
Section: database
Priority: optional
Depends: postgresql-$major, $needed
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Description: event and message store inside PostgreSQL $major
 Streams, categories, consumer groups and optimistic concurrency as SQL
 functions, compatible with Message DB 1.3.0; namespaces, batches and a read
 of everything that never skips a message. After the installation:
 CREATE EXTENSION message_store.
CONTROL
find "$root" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
file=$destination/${package}_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$root" "$file" > /dev/null
echo "$file"
