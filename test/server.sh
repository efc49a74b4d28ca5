#!/usr/bin/env bash
#
# Build bulkpar, start a private server that has it, run a command, stop it.
#
#   server.sh command [argument...]
#
# Started by setup.sh in a copy of the tree with a clean environment. Nothing is
# installed into PostgreSQL's own directories, and the server listens on a Unix
# socket only. Every server that honours TEMP_CONFIG has bulkpar, too.

set -euo pipefail

work=$HOME
data=$work/data
log=$work/server.log
bindir=$("$PG_CONFIG" --bindir)

build()
{
	make -s clean >/dev/null
	# No test needs bitcode, which takes clang as long as all the rest.
	make -s -j"$(nproc)" COPT="$COPT" with_llvm=no
	make -s install DESTDIR="$work/install" with_llvm=no >"$work/install.log" 2>&1 || {
		cat "$work/install.log" >&2
		return 1
	}
}

# Let a server find the extension under $work/install. Background workers name
# the library without a directory, so the library path is needed as well.
extension_settings()
{
	local settings

	settings=$("$bindir/postgres" --describe-config | cut -f1)
	if grep -qx extension_control_path <<<"$settings"; then
		echo "extension_control_path = '$work/install$("$PG_CONFIG" --sharedir):\$system'"
	elif grep -qx extension_destdir <<<"$settings"; then
		echo "extension_destdir = '$work/install'"
	else
		echo "server: needs PostgreSQL 18, or Debian's PostgreSQL 15 to 17" >&2
		return 1
	fi
	echo "dynamic_library_path = '$work/install$("$PG_CONFIG" --pkglibdir):\$libdir'"
}

start_server()
{
	"$bindir/initdb" -D "$data" -U postgres -A trust --no-sync \
		--encoding=UTF8 --locale=C.UTF-8 >"$work/initdb.log"
	{
		cat "$TEMP_CONFIG" ${SERVER_CONF:+"$SERVER_CONF"}
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$work'"
	} >>"$data/postgresql.conf"
	printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$SERVER_RUN" "$bindir/postgres" \
		>"$work/postgres"
	chmod +x "$work/postgres"
	"$bindir/pg_ctl" -D "$data" -p "$work/postgres" -l "$log" -s -w start || {
		cat "$log" >&2
		return 1
	}
}

stop_servers()
{
	local status=$?

	if [ -f "$data/postmaster.pid" ] && ! "$bindir/pg_ctl" -D "$data" -s -m fast stop; then
		echo "server: does not stop, ending it the hard way" >&2
		"$bindir/pg_ctl" -D "$data" -s -m immediate stop || true
		[ "$status" -ne 0 ] || status=1
	fi
	# An interrupted TAP test leaves its servers.
	find "$work" -name postmaster.pid \
		-execdir "$bindir/pg_ctl" -D . -s -m immediate stop \; || true
	if [ "$status" -ne 0 ] && [ -f "$log" ]; then
		cp "$log" "$OUTPUT"
	fi
	exit "$status"
}

trap stop_servers EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

echo "server: building bulkpar"
build
echo "server: starting a private server in $work, which is removed at the end"
export TEMP_CONFIG=$work/extension.conf
extension_settings >"$TEMP_CONFIG"
start_server
export SERVER_LOG=$log PGHOST=$work PGUSER=postgres PGDATABASE=postgres
"$@"
