#!/usr/bin/env bash
#
# Draw the plots of a benchmark, as SVG, from the file that run.sh --csv wrote.
#
#   plot.sh CSV DIRECTORY

set -euo pipefail

csv=$(realpath "$1")
target=$(realpath "$2")
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT

mkdir -p "$target"
cd "$(dirname "$0")/plots"
/usr/bin/python3 data.py "$csv" "$data"
for script in ways space writers growth gentle; do
	if [ -s "$data/$script.dat" ]; then
		gnuplot -e "file = '$data/$script.dat'" common.gp "$script.gp" \
			>"$target/$script.svg"
	fi
done
