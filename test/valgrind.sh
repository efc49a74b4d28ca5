#!/usr/bin/env bash
#
# Jobs of all kinds on a server that valgrind runs: "make test-valgrind".
#
# Fails if one does not do what it should, or if valgrind finds an error with a
# function of bulkpar in one of its stacks. test/valgrind.supp has what is
# PostgreSQL's; other errors that it has on its own do not count.

set -euo pipefail

run_jobs()
{
	local status=0

	psql -Xq -f test/valgrind.sql 2>"$OUTPUT/psql.log" || status=1
	# What all processes have found up to their end.
	"$("$PG_CONFIG" --bindir)/pg_ctl" -D "$HOME/data" -s -m fast stop || status=1
	# An error is a paragraph.
	sed 's/^==[0-9]*== \?//' "$HOME"/valgrind.* |
		awk -v RS= -v ORS='\n\n' -v source="$PWD/src/" \
			'index($0, source) || /bulkpar\.so/' >"$OUTPUT/valgrind.log"
	if [ -s "$OUTPUT/valgrind.log" ]; then
		head -n 100 "$OUTPUT/valgrind.log"
		echo "errors in bulkpar: $(grep -c '^$' "$OUTPUT/valgrind.log")"
		status=1
	elif [ "$status" -ne 0 ]; then
		tail -n 20 "$OUTPUT/psql.log"
	fi
	return "$status"
}

cd "$(dirname "$0")/.."
if [ "${1:-}" = run_jobs ]; then
	run_jobs
	exit
fi

export COPT='-O1 -fno-inline -fno-omit-frame-pointer -include test/valgrind.h'
export SERVER_CONF=test/valgrind.conf
SERVER_RUN='valgrind --quiet --leak-check=no --num-callers=40 --fullpath-after='
SERVER_RUN+=' --suppressions=test/valgrind.supp --log-file=%q{HOME}/valgrind.%p'
# Most processes do not live long enough for better code to pay.
SERVER_RUN+=' --vex-guest-chase=no'
export SERVER_RUN
exec test/setup.sh valgrind -- test/valgrind.sh run_jobs
