#!/usr/bin/env bash
#
# All test suites: "make test"; or those that are named. "run.sh packages" installs
# what they need, and runs none.

set -euo pipefail

cd "$(dirname "$0")/.."
# PostgreSQL's own headers have unused parameters.
export COPT='-Wall -Wextra -Werror -Wno-unused-parameter'
export SERVER_CONF=test/server.conf
command=(test/suites.sh "$@")
[ "$*" != packages ] || command=()
exec test/setup.sh postgresql-%v-pgtap postgresql-%v-cron \
	postgresql-plperl-%v libipc-run-perl \
	libtap-parser-sourcehandler-pgtap-perl python3-django \
	python3-psycopg2 python3-psycopg pgbouncer -- "${command[@]}"
