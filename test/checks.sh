#!/usr/bin/env bash
#
# Checks of the sources that no compiler makes: "make check-headers" and so on.
#
#   checks.sh check...
#
# Each prints what is wrong, and fails if anything is. From make come COMPILE,
# which compiles C, and OBJECTS, of which the library is made.
#
# shellcheck disable=SC2317  # checks are called by their names

set -euo pipefail

# Every header compiles after postgres.h alone.
check_headers()
{
	# shellcheck disable=SC2016  # xargs runs it
	printf '%s\n' src/*.h src/*/*.h | xargs -P "$(nproc)" -I{} sh -c '
		printf "#include \"postgres.h\"\n#include \"%s\"\n" "${1#src/}" |
			$COMPILE -fsyntax-only -x c - 2>&1 || echo "$1 does not compile"' sh {}
}

# A wing includes itself and those that come after it, all may include bulkpar.h
# and compat.h, which include none, and compat.h alone knows of versions.
check_includes()
{
	awk -v wings='call run table books session' '
		BEGIN {
			for (i = split(wings, wing, " "); i > 0; i--)
				place[wing[i]] = i
		}
		FNR == 1 {
			parts = split(FILENAME, part, "/")
			from = parts == 3 ? part[2] : ""
			if (parts == 3 && !(from in place))
				print FILENAME ": is in no wing"
		}
		/^#include "[a-z]+\// {
			split($2, part, /["\/]/)
			to = part[2]
			if (to in place && (from in place ? place[to] < place[from] : FILENAME ~ /h$/))
				print FILENAME ":" FNR ": " $0
		}
		/PG_VERSION_NUM/ && FILENAME != "src/compat.h" {
			print FILENAME ":" FNR ": " $0
		}' src/*.[ch] src/*/*.[ch]
}

# PostgreSQL 15 exports whatever is not static, to all other extensions.
check_exports()
{
	# shellcheck disable=SC2086  # file names without spaces
	nm -g --defined-only -P -A $OBJECTS |
		awk '$2 !~ /^(bulkpar_.+|_PG_init|Pg_magic_func|pg_finfo_bulkpar_.+)$/ { print $1, $2 }'
}

# No two files have static functions of the same name: a breakpoint, a profile or
# a stack means one of them.
check_statics()
{
	awk '
		static && match($0, /^[a-z_0-9]+\(/) {
			name = substr($0, 1, RLENGTH - 1)
			files[name] = files[name] " " FILENAME
			count[name]++
		}
		{ static = /^(pg_noreturn )?static [^(]*$/ }
		END {
			for (name in count)
				if (count[name] > 1)
					print name ":" files[name]
		}' src/*.c src/*/*.c | sort
}

# Every test has its expected output, and the other way round.
check_expected()
{
	diff -U0 --label tests --label expected \
		<(basename -a test/sql/*.sql test/specs/*.spec | sed 's/\..*//' | sort) \
		<(basename -a expected/*.out | sed 's/\..*//' | sort) || true
}

# src/typedefs.list is what "make typedefs" makes.
check_typedefs()
{
	test/indent.sh --typedefs | diff -U0 src/typedefs.list - || true
}

# The tree builds in another directory, too, and makes its folders there. It is a
# copy without objects, since make would take those of the tree.
check_outside()
{
	local directory

	directory=$(mktemp -d)
	mkdir "$directory/tree" "$directory/build"
	cp -r Makefile bulkpar.control sql src test expected "$directory/tree"
	find "$directory/tree/src" -name '*.o' -delete
	(
		cd "$directory/build"
		make -s -f ../tree/Makefile with_llvm=no src/bulkpar.o src/books/books.o &&
			[ -f src/books/books.o ] &&
			make -s -n -f ../tree/Makefile with_llvm=no install installcheck >/dev/null
	) || echo '"make -f ../tree/Makefile" fails'
	rm -rf "$directory"
}

# The version is the same wherever it is written. The control file has that of
# the SQL objects, 1.0, the others that of the release, 1.0.2.
check_version()
{
	local release major

	release=$(sed -nE '1s/^## ([0-9]+\.[0-9]+\.[0-9]+) .*/\1/p' CHANGELOG.md)
	major=${release%.*}
	[ -n "$release" ] || echo 'CHANGELOG.md does not begin with "## 1.2.3 (...)"'
	[ "$(sed -nE "s/^default_version = '(.*)'/\1/p" bulkpar.control)" = "$major" ] ||
		echo "bulkpar.control is not of $major"
	grep -qF ".version = \"$major\"" src/bulkpar.c || echo "src/bulkpar.c is not of $major"
	[ -f "sql/bulkpar--$major.sql" ] || echo "there is no sql/bulkpar--$major.sql"
	head -n 1 debian/changelog | grep -qF "bulkpar ($release-" || echo "debian/changelog is not of $release"
	python3 - "$release" "sql/bulkpar--$major.sql" <<-'END'
		import json
		import sys

		release, script = sys.argv[1:]
		meta = json.load(open('META.json'))
		provided = meta['provides']['bulkpar']
		if (meta['version'], provided['version'], provided['file']) != (release, release, script):
		    print(f'META.json is not of {release}, or does not name {script}')
	END
}

# Scripts that were released are as they were: test/released.sha256 has their
# sums, from the first release on. What makes a release is a date in CHANGELOG.md;
# then all scripts are in there, and no other file says that it is none.
check_released()
{
	local sums=test/released.sha256 script

	if ! head -n 1 CHANGELOG.md | grep -qF '(unreleased)'; then
		for script in sql/*.sql; do
			grep -qsF "  $script" "$sums" || echo "$script is not in $sums"
		done
		grep -qF '"release_status": "stable"' META.json || echo 'META.json is not stable'
		! head -n 1 debian/changelog | grep -q UNRELEASED || echo 'debian/changelog is UNRELEASED'
	fi
	[ ! -f "$sums" ] || sha256sum --quiet -c "$sums" 2>&1 || true
}

# The sources are as pgindent would have them.
check_indent()
{
	test/indent.sh --diff 2>&1 || true
}

cd "$(dirname "$0")/.."
failed=0
for check; do
	found=$("${check//-/_}" 2>&1) || { failed=1; echo "$check: has failed"; }
	if [ -n "$found" ]; then
		printf '%s:\n%s\n' "$check" "$found"
		failed=1
	fi
done
exit "$failed"
