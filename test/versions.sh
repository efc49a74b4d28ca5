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
# RELEASES names the releases, MIRROR another mirror, TESTS the tests if not all
# are wanted, FOLDERS a directory where the folders are kept for the next time;
# what begins with BULKPAR_ is for the tests.
# Where there is no root, no debootstrap or no mirror, it says so and exits with 77.

set -euo pipefail

source_dir=$(cd "$(dirname "$0")/.." && pwd)
releases=${RELEASES:-trixie sid}
folders=${FOLDERS:-}
output=$source_dir/test/output/versions
failed=0
table='| PostgreSQL | Debian | passed | failed |
|---|---|---|---|'

skip()
{
	echo "versions: left out: $*"
	exit 77
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
		{ apt-get -qq update && apt-get -qq -y install debootstrap; } </dev/null >/dev/null 2>&1 ||
			skip 'no debootstrap, and none to install'
	fi
	mirror=${MIRROR:-$(find_mirror)}
	if [ -z "$mirror" ]; then
		apt-get -qq update >/dev/null 2>&1 || true
		mirror=$(find_mirror)
	fi
	[ -n "$mirror" ] || skip 'apt knows no mirror of Debian'
}

# A folder that can install packages, once and for all if it is kept.
make_folder()
{
	local release=$1 folder=$2

	[ ! -f "$folder/ready" ] || return 0
	rm -rf "$folder"
	debootstrap --variant=minbase "$release" "$folder" "$mirror" || return
	# As on a container: the folder can be thrown away, so nothing waits for disks.
	echo force-unsafe-io >"$folder/etc/dpkg/dpkg.cfg.d/unsafe-io"
	apt-config dump | grep '^Acquire::' >"$folder/etc/apt/apt.conf.d/90machine" || true
	echo 'Acquire::Languages "none";' >>"$folder/etc/apt/apt.conf.d/90machine"
	touch "$folder/ready"
}

# Run a command in a folder, in namespaces of its own: whatever it leaves running
# or mounted is gone afterwards.
run_in()
{
	local folder=$1
	shift

	cp -L /etc/resolv.conf /etc/hosts "$folder/etc/" 2>/dev/null || true
	# shellcheck disable=SC2016  # the inner shell expands them
	unshare --mount --pid --fork --kill-child bash -euc '
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

	rm -rf "$folder/bulkpar" &&
		mkdir "$folder/bulkpar" &&
		tar -C "$source_dir" --exclude=./.git --exclude=./test/output -cf - . |
		tar -C "$folder/bulkpar" --no-same-owner -xf - &&
		run_in "$folder" apt-get -qq update &&
		run_in "$folder" env "${passed[@]}" /bulkpar/test/run.sh "$@"
}

# What of the log begins with a word, as a list.
of_log()
{
	sed -nE "s/^$2  (build|[^ ]*).*/\1/p" "$1" | paste -sd ' '
}

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
rm -rf "$output"
mkdir -p "$output" "$folders"
echo "versions: PostgreSQL of $releases; the first time, each folder takes minutes"
for release in $releases; do
	folder=$folders/$release
	log=$output/$release.log
	make_folder "$release" "$folder" >"$output/$release.debootstrap" 2>&1 ||
		{ cat "$output/$release.debootstrap"; skip "could not make a folder of $release from $mirror"; }
	printf '\n== %s\n' "$release"
	test_release "$folder" "$@" 2>&1 | tee "$log" || failed=1
	cp -r "$folder/bulkpar/test/output" "$output/$release" 2>/dev/null || true
	version=$(run_in "$folder" sh -c '/usr/lib/postgresql/*/bin/postgres --version' 2>/dev/null |
		sed -E 's/^[^0-9]*([^ ]*).*/\1/')
	table+="
| ${version:-?} | $release | $(of_log "$log" passed) | $(of_log "$log" FAILED) |"
done
printf '\n%s\n' "$table"
exit "$failed"
