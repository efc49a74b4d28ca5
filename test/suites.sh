#!/usr/bin/env bash
#
# Run test suites against the server of the environment, report all of them, and
# fail if one has failed, or if the server's log has what must never be there.
#
#   suites.sh [suite...]
#
# All suites if none is named; of these all tests, or those whose names, without
# directory and suffix, are in TESTS. A suite without files has failed, too; one
# that needs what this PostgreSQL has not is left out, as the report says.

set -euo pipefail
shopt -s nullglob

suites=" ${*:-checks script regress isolation tap pgtap python} "
read -ra tests <<<"${TESTS:-}"
found=' '
failed=0
summary=()

# The names of tests whose files these are.
names()
{
	local files=("${@##*/}")

	echo "${files[*]%.*}"
}

# shellcheck disable=SC2317  # these are called by suite
run_checks()
{
	local check checks=()

	for check; do
		if [ "$check" = check-indent ] && ! [ -f "$("$PG_CONFIG" --bindir)/pgindent" ]; then
			echo "check-indent is left out: this PostgreSQL comes without pgindent"
		else
			checks+=("$check")
		fi
	done
	[ ${#checks[@]} -eq 0 ] || make -s -k "${checks[@]}"
}

# shellcheck disable=SC2317
run_script()
{
	test/script-check.pl "$@" && test/script-check.pl --marked test/script/*.sql
}

# shellcheck disable=SC2317
run_regress()
{
	make -s installcheck REGRESS="$(names "$@")" ISOLATION= TAP_TESTS=
}

# shellcheck disable=SC2317
run_isolation()
{
	make -s installcheck REGRESS= ISOLATION="$(names "$@")" TAP_TESTS=
}

# shellcheck disable=SC2317
run_tap()
{
	# A session that a test keeps open may live no longer than that. Most of the time
	# a test waits, so two run at once; each has servers of its own.
	PG_TEST_TIMEOUT_DEFAULT=1800 make -s installcheck REGRESS= ISOLATION= \
		PROVE_FLAGS=-j2 PROVE_TESTS="$*"
}

# shellcheck disable=SC2317
run_pgtap()
{
	if ! psql -Xtq -c "SELECT 'found' FROM pg_available_extensions WHERE name = 'pgtap'" | grep -q found; then
		echo "this PostgreSQL has no extension pgtap"
		return 77
	fi
	createdb pgtap &&
		psql -Xq -d pgtap -c 'CREATE EXTENSION pgtap; CREATE EXTENSION bulkpar' &&
		PGOPTIONS='-c bulkpar.report=off' pg_prove -d pgtap "$@"
}

# shellcheck disable=SC2317
run_python()
{
	createdb python &&
		psql -Xq -d python -c 'CREATE EXTENSION bulkpar' &&
		PGDATABASE=python prove --exec /usr/bin/python3 "$@"
}

# Run a command with the files that follow, or those of them that are wanted.
suite()
{
	local name=$1 command=$2 file files=() status=0
	shift 2

	[[ $suites == *" $name "* ]] || return 0
	for file; do
		if [ ${#tests[@]} -eq 0 ] || [[ " ${tests[*]} " == *" $(names "$file") "* ]]; then
			files+=("$file")
		fi
	done
	[ ${#tests[@]} -eq 0 ] || [ ${#files[@]} -gt 0 ] || return 0
	found+="$(names "${files[@]}") "

	printf '\n== %s\n' "$name"
	rm -rf regression.diffs regression.out results tmp_check
	if [ ${#files[@]} -eq 0 ]; then
		echo "there are no files"
	else
		"$command" "${files[@]}" || status=$?
		case $status in
			0) summary+=("passed  $name (${#files[@]})"); return ;;
			77) summary+=("without $name"); return ;;
		esac
	fi
	failed=1
	summary+=("FAILED  $name")
	mkdir -p "$OUTPUT/$name"
	cp -r regression.diffs regression.out results tmp_check/log "$OUTPUT/$name" 2>/dev/null || true
}

summary+=("passed  build with $COPT")
mapfile -t checks < <(sed -n 's/^check_\([a-z]*\)()/check-\1/p' test/checks.sh)
suite checks run_checks "${checks[@]}"
suite script run_script sql/*.sql
suite regress run_regress test/sql/*.sql
suite isolation run_isolation test/specs/*.spec
suite tap run_tap test/t/*.pl
suite pgtap run_pgtap test/pgtap/*.sql
suite python run_python test/python/*.py

for test in "${tests[@]}"; do
	if [[ $found != *" $test "* ]]; then
		failed=1
		summary+=("FAILED  there is no test $test")
	fi
done
# What a sanitizer, an assertion or a crash leaves in the log.
if grep -E 'runtime error:|TRAP:|PANIC:|WARNING:.* leak|by signal' "$SERVER_LOG"; then
	failed=1
	summary+=("FAILED  log of the server")
fi

echo
printf '%s\n' "${summary[@]}"
exit "$failed"
