#!/usr/bin/env bash
#
# One update of Django's users in five ways: "make demo".

set -euo pipefail

exec "$(dirname "$0")/setup.sh" python3-django python3-psycopg2 -- \
	/usr/bin/python3 test/bench/demo.py "$@"
