#!/usr/bin/env bash
#
# Make Debian packages, one for each PostgreSQL that Debian has: "make deb".
#
# They are left in test/output/packages, and what lintian says of them is shown
# if there is a lintian; everything else is done in a temporary directory.
# DEB_BUILD_OPTIONS=nocheck DEB_BUILD_PROFILES=nocheck leave out the tests.

set -euo pipefail

source_dir=$(cd "$(dirname "$0")/.." && pwd)
output=$source_dir/test/output/packages

cd "$source_dir"
work=$(mktemp -d "${TMPDIR:-/var/tmp}/bulkpar-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# Of root's build, too, the server of the tests loads the library.
chmod 755 "$work"
mkdir "$work/bulkpar"
tar --exclude=./.git --exclude=./test/output -cf - . | tar -C "$work/bulkpar" -xf -
cd "$work/bulkpar"

if ! dpkg-checkbuilddeps 2>"$work/missing"; then
	cat "$work/missing" >&2
	echo "deb: \"apt-get build-dep $source_dir\" installs it, as root" >&2
	exit 1
fi
# The versions of PostgreSQL are those of this machine, not those in debian/control.
PG_UPDATECONTROL=yes dpkg-buildpackage --build=binary --no-sign
if command -v lintian >/dev/null; then
	# The tag asks for a bug of Debian's, which a package of our own has not.
	lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs ../*.changes
fi
rm -rf "$output"
mkdir -p "$output"
cp ../*.deb "$output"
echo "deb: in test/output/packages: $(basename -a "$output"/*.deb | paste -sd ' ')"
