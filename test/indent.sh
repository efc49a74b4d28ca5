#!/usr/bin/env bash
#
# Format the sources with PostgreSQL's pgindent: "make indent".
#
#   indent.sh               format src
#   indent.sh --diff        print what that would change
#   indent.sh --typedefs    print the types that src defines
#
# pgindent has to know which names are types: PostgreSQL's own list has those of
# PostgreSQL, src/typedefs.list has ours. The tools are those of pg_config, unless
# PGINDENT, PG_BSD_INDENT and PGTYPEDEFS name others.

set -euo pipefail

# structs, enums and functions
typedefs()
{
	sed -nE 's/^\} ([A-Z][A-Za-z]*);$/\1/p
		s/^typedef .*\(\*([A-Z][A-Za-z]*)\).*/\1/p
		s/^typedef [^(]*[ *]([A-Z][A-Za-z]*);$/\1/p' src/*.[ch] src/*/*.[ch] | LC_ALL=C sort -u
}

missing()
{
	echo "indent: no $1: install Debian's postgresql-server-dev-17 or newer, which" >&2
	echo "has it (apt.postgresql.org has it for Debian 12), and name its pg_config," >&2
	echo "make ... PG_CONFIG=/usr/lib/postgresql/17/bin/pg_config, or set $2" >&2
	exit 1
}

cd "$(dirname "$0")/.."
if [ "${1:-}" = --typedefs ]; then
	typedefs
	exit
fi

: "${PG_CONFIG:=pg_config}"
: "${PGINDENT:=$("$PG_CONFIG" --bindir)/pgindent}"
: "${PG_BSD_INDENT:=$("$PG_CONFIG" --bindir)/pg_bsd_indent}"
: "${PGTYPEDEFS:=$("$PG_CONFIG" --sharedir)/typedefs.list}"
[ -f "$PGINDENT" ] || missing pgindent PGINDENT
[ -x "$PG_BSD_INDENT" ] || missing pg_bsd_indent PG_BSD_INDENT
[ -f "$PGTYPEDEFS" ] || missing typedefs.list PGTYPEDEFS

# These are names of variables, too, which would be formatted as types.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grep -vxE 'text|varlena' "$PGTYPEDEFS" >"$work/known"
cat src/typedefs.list >>"$work/known"
cp -r src "$work/src"
perl "$PGINDENT" --typedefs="$work/known" --indent="$PG_BSD_INDENT" "$work/src"
# Before 19 there is no space where names follow a comma, and since 19 one before dots.
find "$work/src" -name '*.[ch]' -exec sed -i -E '\#^[[:space:]]*/?[*]#! {
	s/,\.([a-z_]+ = )/, .\1/g
	s/, \.\.\.\)/,...)/
}' {} +
if [ "${1:-}" = --diff ]; then
	diff -ru --exclude='*.o' --exclude='*.bc' src "$work/src" || true
else
	cp -r "$work/src" .
fi
