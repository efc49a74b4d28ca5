#!/usr/bin/env bash
#
# All test suites: "make test"; or those that are named.

set -euo pipefail

cd "$(dirname "$0")/.."
# PostgreSQL's own headers have unused parameters.
export COPT='-Wall -Wextra -Werror -Wno-unused-parameter'
export SERVER_CONF=test/server.conf
exec test/setup.sh postgresql-%v-pgtap postgresql-%v-cron \
	postgresql-plperl-%v libipc-run-perl \
	libtap-parser-sourcehandler-pgtap-perl python3-django \
	python3-psycopg2 python3-psycopg pgbouncer -- test/suites.sh "$@"
