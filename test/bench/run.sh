#!/usr/bin/env bash
#
# The benchmark: "make bench", or run.sh with the options of bench.py.
#
#   run.sh [--csv FILE [--plots DIRECTORY]] [option...]

set -euo pipefail

csv=
plots=
options=()
while [ $# -gt 0 ]; do
	if [ "$1" = --csv ]; then
		# Opened here: the benchmark's user may not write to this directory.
		exec 3>"$2"
		csv=$(realpath "$2")
		options+=(--csv-fd=3)
		shift
	elif [ "$1" = --plots ]; then
		plots=$(realpath "$2")
		shift
	else
		options+=("$1")
	fi
	shift
done
if [ -n "$plots" ] && [ -z "$csv" ]; then
	echo "run.sh: --plots needs --csv" >&2
	exit 2
fi

cd "$(dirname "$0")/../.."
export SERVER_CONF=test/bench/server.conf
setup=(test/setup.sh python3-django python3-psycopg2 gnuplot-nox --
	/usr/bin/python3 test/bench/bench.py "${options[@]}")
[ -n "$plots" ] || exec "${setup[@]}"
"${setup[@]}"
test/bench/plot.sh "$csv" "$plots"
