#!/usr/bin/env bash
#
# Run the test suites on the PostgreSQL of several Debian releases: "make versions".
#
#   versions.sh [suite...]
#
# Each release gets a folder of its own, made by debootstrap from the mirror that
# apt uses here, where "make test" runs as on a machine of that release: it says
# itself what it needs. Afterwards a table says what was run and passed, and
# test/output/versions has the logs. Needs root; nothing is installed here but
# debootstrap, and what the folders run ends with this script.
#
# RELEASES names the releases; of experimental, which is none, come PostgreSQL and
# what belongs to it, all else there from sid. UPGRADE_FROM is the release whose
# PostgreSQL is installed in the folders of the others as well, for pg_upgrade; none
# if it is empty. MIRROR is another mirror, TESTS the tests if not all are wanted,
# FOLDERS a directory where the folders are kept for the next time, SETUP_SECONDS
# how long it may take until a folder has all packages; what begins with BULKPAR_ is
# for the tests.
# Where there is no root, no debootstrap, no mirror or a package that cannot be
# installed, it says what is left out, and exits with 77 if nothing else has failed.
# The network is needed for the packages only, not by what is built and tested.

set -euo pipefail

source_dir=$(cd "$(dirname "$0")/.." && pwd)
releases=${RELEASES:-trixie sid experimental}
old_release=${UPGRADE_FROM-bookworm}
folders=${FOLDERS:-}
setup_seconds=${SETUP_SECONDS:-3600}
output=$source_dir/test/output/versions
deadline=
failed=0
incomplete=0
table='| PostgreSQL | Debian | passed | failed | left out | upgraded from |
|---|---|---|---|---|---|'

skip()
{
	echo "versions: left out: $*"
	exit 77
}

# Run a command, no longer than until the deadline if there is one. It alone is
# ended: it takes with it what it has started.
within()
{
	local seconds

	if [ -z "$deadline" ]; then
		"$@"
	else
		seconds=$((deadline - SECONDS))
		timeout --foreground --signal=KILL $((seconds > 0 ? seconds : 1)) "$@"
	fi
}

# The first Debian archive of apt's own sources.
find_mirror()
{
	# shellcheck disable=SC2016  # apt-get fills it in
	apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Label: Debian' | head -n 1
}

prepare_machine()
{
	[ "$EUID" -eq 0 ] || skip 'debootstrap and chroot need root'
	unshare --mount --pid --fork true 2>/dev/null || skip 'this machine gives no mount namespace'
	if ! command -v debootstrap >/dev/null; then
		{ within apt-get -qq update && within apt-get -qq -y install debootstrap; } </dev/null >/dev/null 2>&1 ||
			skip 'no debootstrap, and none to install'
	fi
	mirror=${MIRROR:-$(find_mirror)}
	if [ -z "$mirror" ]; then
		within apt-get -qq update >/dev/null 2>&1 || true
		mirror=$(find_mirror)
	fi
	[ -n "$mirror" ] || skip 'apt knows no mirror of Debian'
}

# A folder that can install packages, once and for all if it is kept. What
# debootstrap mounts in it is gone with debootstrap.
make_folder()
{
	local release=$1 folder=$2 base=$1

	[ ! -f "$folder/ready" ] || return 0
	[ "$release" != experimental ] || base=sid
	rm -rf "$folder"
	within unshare --mount --mount-proc --pid --fork --kill-child \
		debootstrap --variant=minbase "$base" "$folder" "$mirror" </dev/null || return
	# As on a container: the folder can be thrown away, so nothing waits for disks.
	echo force-unsafe-io >"$folder/etc/dpkg/dpkg.cfg.d/unsafe-io"
	apt-config dump | grep '^Acquire::' >"$folder/etc/apt/apt.conf.d/90machine" || true
	echo 'Acquire::Languages "none";' >>"$folder/etc/apt/apt.conf.d/90machine"
	# Installing a server would otherwise create and start a cluster "main".
	mkdir -p "$folder/etc/postgresql-common/createcluster.d"
	echo 'create_main_cluster = false' >"$folder/etc/postgresql-common/createcluster.d/bulkpar.conf"
	if [ "$release" = experimental ]; then
		add_release "$folder" experimental
		printf '%s\n' 'Package: postgresql* libpq* libpg* libecpg*' \
			'Pin: release a=experimental' 'Pin-Priority: 500' >"$folder/etc/apt/preferences.d/experimental"
	fi
	touch "$folder/ready"
}

# Let a folder find the packages of another release, too.
add_release()
{
	echo "deb $mirror $2 main" >"$1/etc/apt/sources.list.d/$2.list"
}

apt_get()
{
	local folder=$1
	shift

	run_in "$folder" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends "$@"
}

# Install the newest PostgreSQL that a folder finds: the tests use what pg_config
# is of, and where there is none, what the package "postgresql" names, which knows
# nothing of experimental.
install_newest()
{
	local folder=$1 package

	package=$(run_in "$folder" apt-cache pkgnames postgresql-server-dev- | grep '[0-9]$' | sort -V | tail -n 1)
	apt_get "$folder" install build-essential "${package/server-dev-/}" "$package"
}

# Beside what a folder has, the PostgreSQL of another release. The package with its
# headers would need the compilers of that release, so they come without it.
install_old()
{
	local folder=$1 major

	add_release "$folder" "$old_release"
	apt_get "$folder" update --error-on=any || return
	major=$(run_in "$folder" apt-cache madison postgresql |
		sed -nE "s,^ *postgresql \\| ([0-9]+).* $old_release/.*,\\1,p" | head -n 1)
	[ -n "$major" ] || { echo "$old_release has no PostgreSQL"; return 1; }
	old_bindir=/usr/lib/postgresql/$major/bin
	apt_get "$folder" install build-essential "postgresql-$major" || return
	# shellcheck disable=SC2016  # the inner shell expands them
	run_in "$folder" bash -euc '
		[ ! -d "/usr/include/postgresql/$1/server" ] || exit 0
		directory=$(mktemp -d)
		trap "rm -rf $directory" EXIT
		cd "$directory"
		apt-get -qq download "postgresql-server-dev-$1"
		dpkg-deb -x ./*.deb /' bash "$major"
}

# Install bulkpar in both PostgreSQLs of a folder: pg_upgrade looks for libraries
# nowhere but where they were. Compilers take the headers of the other as C of
# before 2023 only.
install_both()
{
	# shellcheck disable=SC2016  # the inner shell expands them
	run_in "$1" bash -euc '
		directory=$(mktemp -d)
		trap "rm -rf $directory" EXIT
		cp -r /bulkpar "$directory/tree"
		cd "$directory/tree"
		make -s clean with_llvm=no PG_CONFIG="$1/pg_config"
		make -s -j"$(nproc)" with_llvm=no COPT=-std=gnu17 PG_CONFIG="$1/pg_config"
		make -s install with_llvm=no PG_CONFIG="$1/pg_config"
		make -s clean with_llvm=no
		make -s -j"$(nproc)" with_llvm=no
		make -s install with_llvm=no' bash "$old_bindir"
}

# Run a command in a folder, in namespaces of its own: whatever it leaves running
# or mounted is gone afterwards.
run_in()
{
	local folder=$1
	shift

	cp -L /etc/resolv.conf /etc/hosts "$folder/etc/" 2>/dev/null || true
	# shellcheck disable=SC2016  # the inner shell expands them
	within unshare --mount --pid --fork --kill-child bash -euc '
		folder=$1
		shift
		mount --make-rprivate /
		mount -t proc proc "$folder/proc"
		mount --rbind /dev "$folder/dev"
		mount -t tmpfs -o mode=1777 tmpfs "$folder/dev/shm"
		status=0
		chroot "$folder" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			"$@" || status=$?
		exit "$status"' bash "$folder" "$@" </dev/null
}

test_release()
{
	local folder=$1
	shift

	[ -z "$old_bindir" ] || install_both "$folder" || return
	run_in "$folder" env "${passed[@]}" ${old_bindir:+"BULKPAR_UPGRADE_FROM=$old_bindir"} \
		/bulkpar/test/run.sh "$@"
}

# The tree, and all packages that building and testing it needs. What a deadline has
# interrupted in a folder that is kept goes on first.
prepare_folder()
{
	local release=$1 folder=$2

	old_bindir=
	rm -rf "$folder/bulkpar"
	mkdir "$folder/bulkpar" &&
		tar -C "$source_dir" --exclude=./.git --exclude=./test/output -cf - . |
		tar -C "$folder/bulkpar" --no-same-owner -xf - &&
		run_in "$folder" env DEBIAN_FRONTEND=noninteractive dpkg --configure -a &&
		apt_get "$folder" update --error-on=any &&
		install_newest "$folder" || return
	if [ -n "$old_release" ] && [ "$release" != "$old_release" ]; then
		install_old "$folder" || return
	fi
	run_in "$folder" /bulkpar/test/run.sh packages
}

# Set up the folder of a release, or say that it is left out and return false.
set_up()
{
	local release=$1 folder=$2 status=0 log=$output/$1.prepare

	deadline=$((SECONDS + setup_seconds))
	{ make_folder "$release" "$folder" && prepare_folder "$release" "$folder"; } >"$log" 2>&1 || status=$?
	[ "$SECONDS" -lt "$deadline" ] || echo "not ready after $setup_seconds seconds" >>"$log"
	deadline=
	[ "$status" -ne 0 ] || return 0
	cat "$log"
	echo "versions: left out: could not make a folder of $release from $mirror"
	incomplete=1
	table+="
| | $release | | | all: no folder | |"
	return 1
}

# What of the log begins with a word, as a list.
of_log()
{
	sed -nE "s/^$2  (build|[^(]*[^( ]( \([0-9]+\))?).*/\1/p" "$1" | paste -sd , | sed 's/,/, /g'
}

# The tests and suites that found not what they need.
left_out()
{
	sed -nE 's,^without ,,p; s,^.*\<t/([0-9a-z_]+)\.pl \.+ skipped: .*,\1,p' "$1" |
		paste -sd , | sed 's/,/, /g'
}

# The version of the programs in a directory of a folder; nothing if there is none.
version_of()
{
	run_in "$1" "$2" --version 2>/dev/null | sed -E 's/^[^0-9]*([^ ]*).*/\1/' || true
}

deadline=$((SECONDS + setup_seconds))
passed=()
for name in TESTS $(compgen -e BULKPAR_); do
	passed+=("$name=${!name:-}")
done
prepare_machine
if [ -z "$folders" ]; then
	folders=$(mktemp -d "${TMPDIR:-/var/tmp}/bulkpar-versions.XXXXXX")
	trap 'rm -rf "$folders"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
fi
deadline=
rm -rf "$output"
mkdir -p "$output" "$folders"
echo "versions: PostgreSQL of $releases; the first time, each folder takes minutes"
for release in $releases; do
	folder=$folders/$release
	log=$output/$release.log
	set_up "$release" "$folder" || continue
	printf '\n== %s\n' "$release"
	test_release "$folder" "$@" 2>&1 | tee "$log" || failed=1
	grep -q '^passed  build' "$log" || { echo 'FAILED  build' | tee -a "$log"; failed=1; }
	cp -r "$folder/bulkpar/test/output" "$output/$release" 2>/dev/null || true
	old_version=
	if [ -n "$old_bindir" ] && grep -qE '\<t/044_upgrade\.pl \.+ ok' "$log"; then
		old_version=$(version_of "$folder" "$old_bindir/postgres")
	fi
	table+="
| $(version_of "$folder" pg_config) | $release | $(of_log "$log" passed) | $(of_log "$log" FAILED) | $(left_out "$log") | $old_version |"
done
printf '\n%s\n' "$table"
[ "$failed" -eq 0 ] || exit 1
[ "$incomplete" -eq 0 ] || exit 77
