#!/usr/bin/env bash
#
# The benchmark: "make bench", or run.sh with the options of bench.py.
#
#   run.sh [--csv FILE] [option...]

set -euo pipefail

options=()
while [ $# -gt 0 ]; do
	if [ "$1" = --csv ]; then
		# Opened here: the benchmark's user may not write to this directory.
		exec 3>"$2"
		options+=(--csv-fd=3)
		shift
	else
		options+=("$1")
	fi
	shift
done

cd "$(dirname "$0")/../.."
export SERVER_CONF=test/bench/server.conf
exec test/setup.sh python3-django python3-psycopg2 -- \
	/usr/bin/python3 test/bench/bench.py "${options[@]}"
