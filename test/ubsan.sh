#!/usr/bin/env bash
#
# pg_regress and isolation tests with a bulkpar that looks for its own undefined
# behaviour and checks its assertions: "make test-ubsan".
#
# What is found ends the process, and is in the log of the server, which is not
# built anew. It is built with -fwrapv, and so are extensions, but sums of ours
# that overflow would be wrong all the same.

set -euo pipefail

cd "$(dirname "$0")/.."
COPT='-fsanitize=undefined,alignment -fno-sanitize-recover=all -fno-wrapv'
COPT+=' -fno-omit-frame-pointer -O1 -include test/ubsan.h -DUSE_ASSERT_CHECKING'
export COPT
export SERVER_CONF=test/server.conf
exec test/setup.sh -- test/suites.sh regress isolation
