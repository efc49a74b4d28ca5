#!/usr/bin/env bash
#
# Run a command beside a private PostgreSQL server that has bulkpar.
#
#   setup.sh [package...] -- [command [argument...]]
#
# Installs what the build and the command need and this Debian or Ubuntu machine
# lacks ("%v" in a package's name stands for PostgreSQL's major version; extensions
# that there are not for it are left out), copies the tree to a temporary directory
# and hands over to server.sh there, as an ordinary user, since PostgreSQL refuses
# to run as root. The command runs in the copy. What it leaves in $OUTPUT when it
# fails is kept in test/output; everything else is removed. Without a command, only
# the packages are installed.
#
# PG_CONFIG names another pg_config, COPT adds compiler options, SERVER_CONF is
# a file of server settings, SERVER_RUN a command that runs the server, TMPDIR is
# where the copy goes instead of /var/tmp. The command gets TESTS and whatever
# begins with BULKPAR_, too.

set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pg_config=${PG_CONFIG:-pg_config}
no_cluster=/etc/postgresql-common/createcluster.d/bulkpar.conf
no_cluster_written=
work=
child=

fail()
{
	echo "setup: $*" >&2
	exit 1
}

as_root()
{
	if [ "$EUID" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		fail "not root and no sudo: cannot run $*"
	fi
}

apt_get()
{
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o DPkg::Lock::Timeout=300 "$@" </dev/null >>"$work/apt.log" 2>&1
}

# shellcheck disable=SC2317  # called by the trap
cleanup()
{
	trap '' INT TERM HUP
	if [ -n "$child" ]; then
		kill -TERM -- "-$child" 2>/dev/null || true
		wait "$child" || true
	fi
	if [ -n "$no_cluster_written" ]; then
		as_root rm -f "$no_cluster"
		as_root rmdir --ignore-fail-on-non-empty "${no_cluster%/*}"
	fi
	rm -rf "$work"
}

is_installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The version of the pg_config that is there, or else the distribution's own.
find_major_version()
{
	if command -v "$pg_config" >/dev/null; then
		"$pg_config" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/'
	elif [ "$pg_config" = pg_config ]; then
		# Fails, and prints nothing, where there are no package lists yet.
		{ apt-cache depends postgresql 2>/dev/null || true; } |
			sed -nE 's/^ *Depends: postgresql-([0-9]+)$/\1/p'
	else
		fail "no such program: $pg_config"
	fi
}

# Forget of the missing packages extensions that nobody has made for this PostgreSQL.
leave_out_unknown()
{
	local package known=()

	for package in "${missing[@]}"; do
		if [[ $package == postgresql-[0-9]*-* ]] && [ -z "$(apt-cache madison "$package")" ]; then
			echo "setup: there is no package $package"
		else
			known+=("$package")
		fi
	done
	missing=("${known[@]}")
}

install_packages()
{
	local package missing=()

	for package; do
		is_installed "$package" || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	echo "setup: installing ${missing[*]} with what they need; on a bare machine this takes minutes"
	# Installing a server would otherwise create and start a cluster "main".
	no_cluster_written=yes
	as_root mkdir -p "${no_cluster%/*}"
	echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
	# The package lists may be absent or out of date: fetch them only then.
	apt_get install --no-install-recommends "${missing[@]}" ||
		{ echo "setup: fetching the package lists (apt-get update)" && apt_get update && leave_out_unknown &&
			apt_get install --no-install-recommends "${missing[@]}"; } ||
		{ cat "$work/apt.log" >&2; fail "could not install ${missing[*]}"; }
	installed+=("${missing[@]}")
}

prepare_machine()
{
	local major bindir

	command -v apt-get >/dev/null || return 0
	major=$(find_major_version)
	if [ -z "$major" ]; then
		echo "setup: fetching the package lists (apt-get update)"
		apt_get update || { cat "$work/apt.log" >&2; fail "could not run apt-get update"; }
		major=$(find_major_version)
	fi
	[ -n "$major" ] || fail "found no PostgreSQL to install"
	echo "setup: PostgreSQL $major"
	[ "$major" -ge 15 ] || fail "bulkpar needs PostgreSQL 15 or newer, not $major"

	bindir=/usr/lib/postgresql/$major/bin
	set -- "${@//%v/$major}" build-essential
	if ! command -v "$pg_config" >/dev/null ||
		[ "$("$pg_config" --bindir)" = "$bindir" ]; then
		set -- "$@" "postgresql-$major" "postgresql-server-dev-$major"
		pg_config=$bindir/pg_config
	fi
	install_packages "$@"
}

copy_tree()
{
	mkdir "$work/tree" "$work/output"
	tar -C "$source_dir" --exclude=./.git --exclude=./test/output -cf - . |
		tar -C "$work/tree" -xf -
}

packages=()
installed=()
while [ "$1" != -- ]; do
	packages+=("$1")
	shift
done
shift

trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
work=$(mktemp -d "${TMPDIR:-/var/tmp}/bulkpar.XXXXXX")
rm -rf "$source_dir/test/output"
prepare_machine "${packages[@]}"
[ $# -gt 0 ] || exit 0
copy_tree

switch_user=()
if [ "$EUID" -eq 0 ]; then
	user=postgres
	id "$user" >/dev/null 2>&1 || user=nobody
	chown -R "$user:" "$work"
	switch_user=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --init-groups)
fi

passed=()
for name in TESTS $(compgen -e BULKPAR_); do
	passed+=("$name=${!name:-}")
done

status=0
cd "$work/tree"
# A process group of its own: one signal then ends all that the command started.
set -m
"${switch_user[@]}" env -i HOME="$work" TMPDIR="$work" LANG=C.UTF-8 \
	PATH="$(dirname "$(command -v "$pg_config")"):/usr/local/bin:/usr/bin:/bin" \
	PG_CONFIG="$pg_config" COPT="${COPT:-}" SERVER_CONF="${SERVER_CONF:-}" \
	SERVER_RUN="${SERVER_RUN:-}" OUTPUT="$work/output" "${passed[@]}" \
	test/server.sh "$@" </dev/null &
child=$!
set +m
wait "$child" || status=$?
child=
cd "$source_dir"

if [ "$status" -ne 0 ] && [ -n "$(ls -A "$work/output")" ]; then
	cp -r "$work/output" test/output
	echo "setup: logs are in test/output" >&2
fi
if [ ${#installed[@]} -gt 0 ]; then
	echo "setup: the packages that were installed stay: ${installed[*]}"
fi
exit "$status"
