#!/usr/bin/env bash
#
# Run each suite against the server of the environment, report all of them, and
# fail if one has failed. A suite without files has failed, too.

set -euo pipefail

failed=0
summary=()

# shellcheck disable=SC2317  # called by suite
run_pgtap()
{
	createdb pgtap &&
		psql -Xq -d pgtap -c 'CREATE EXTENSION pgtap; CREATE EXTENSION bulkpar' &&
		PGOPTIONS='-c bulkpar.report=off' pg_prove -d pgtap test/pgtap/*.sql
}

# shellcheck disable=SC2317  # called by suite
run_python()
{
	createdb python &&
		psql -Xq -d python -c 'CREATE EXTENSION bulkpar' &&
		PGDATABASE=python prove --exec /usr/bin/python3 test/python/*.py
}

suite()
{
	local name=$1 files=$2
	shift 2

	printf '\n== %s\n' "$name"
	rm -rf regression.diffs regression.out tmp_check
	if ! compgen -G "$files" >/dev/null; then
		echo "there is no $files"
	elif "$@"; then
		summary+=("passed  $name")
		return
	fi
	failed=1
	summary+=("FAILED  $name")
	mkdir -p "$OUTPUT/$name"
	cp -r regression.diffs regression.out tmp_check/log "$OUTPUT/$name" 2>/dev/null || true
}

summary+=("passed  build with $COPT")
suite regress 'test/sql/*.sql' make -s installcheck ISOLATION= TAP_TESTS=
suite isolation 'test/specs/*.spec' make -s installcheck REGRESS= TAP_TESTS=
suite tap 'test/t/*.pl' make -s installcheck REGRESS= ISOLATION=
suite pgtap 'test/pgtap/*.sql' run_pgtap
suite python 'test/python/*.py' run_python

echo
printf '%s\n' "${summary[@]}"
exit "$failed"
