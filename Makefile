# bulkpar/Makefile
#
#   make, make install, make installcheck    as for every PGXS extension, also
#                                            in another directory, by make -f
#   make demo, make test, make bench,        install what is missing and use a
#   make test-ubsan, make test-valgrind      private server; nothing else to do
#   make versions                            test on other PostgreSQLs, see there
#   make deb, make dist                      packages: for Debian, for PGXN
#   make checks, make check-indent           look at the sources
#   make indent, make typedefs               change them

MODULE_big = bulkpar
SOURCES = $(sort $(wildcard $(srcdir)/src/*.c $(srcdir)/src/*/*.c))
OBJS = $(SOURCES:$(srcdir)/%.c=%.o)
PG_CPPFLAGS = -I$(srcdir)/src
PGFILEDESC = "bulkpar - bulk updates by parallel workers"

EXTENSION = bulkpar
DATA = sql/bulkpar--1.0.sql

REGRESS = $(basename $(notdir $(sort $(wildcard $(srcdir)/test/sql/*.sql))))
REGRESS_OPTS = --inputdir=$(srcdir)/test --load-extension=bulkpar
ISOLATION = $(basename $(notdir $(sort $(wildcard $(srcdir)/test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=$(srcdir)/test --outputdir=. --load-extension=bulkpar
TAP_TESTS = 1
PROVE_TESTS ?= test/t/*.pl

EXTRA_CLEAN = test/output

CHECKS = check-headers check-includes check-exports check-statics check-expected \
	check-typedefs check-outside check-version check-released

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

ifneq ($(wildcard $(PGXS)),)
include $(PGXS)

# In another directory the folders of the objects are not there yet, and what
# pg_regress compares with is in the tree. The names are absolute, since VPATH
# would find the others in the tree.
OBJECT_DIRS = $(addprefix $(CURDIR)/,$(sort $(dir $(OBJS))))

$(OBJS) $(OBJS:.o=.bc): | $(OBJECT_DIRS)
$(OBJECT_DIRS):
	$(MKDIR_P) $@

ifneq ($(realpath $(srcdir)),$(realpath $(CURDIR)))
EXTRA_CLEAN += expected
installcheck: $(CURDIR)/expected
$(CURDIR)/expected:
	ln -s $(abspath $(srcdir)/expected) $@
endif

# PGXS as packaged does not track headers.
$(OBJS) $(OBJS:.o=.bc): $(wildcard $(srcdir)/src/*.h $(srcdir)/src/*/*.h)

# See test/checks.sh.
checks: $(CHECKS)
check-exports: $(OBJS)
$(CHECKS) check-indent: export COMPILE = $(CC) $(CFLAGS) $(CPPFLAGS)
$(CHECKS) check-indent: export OBJECTS = $(abspath $(OBJS))
$(CHECKS) check-indent:
	@$(srcdir)/test/checks.sh $@
else
# The targets below install PGXS themselves, so they must work without it.
all install installcheck clean checks $(CHECKS) check-indent:
	$(error PGXS not found by "$(PG_CONFIG)": install postgresql-server-dev-NN or set PG_CONFIG)
endif

export PG_CONFIG

demo:
	test/demo.sh

# With TESTS='keys 005_crash' just these tests.
test:
	test/run.sh

# Looks for undefined behaviour in the functions that the tests reach.
test-ubsan:
	test/ubsan.sh

# Looks for misuse of memory in jobs of all kinds.
test-valgrind:
	test/valgrind.sh

# With RELEASES=sid just this release of Debian, with TESTS='keys 005_crash' just
# these tests.
versions:
	test/versions.sh

deb:
	test/deb.sh

# What is committed, less what .gitattributes says.
dist: RELEASE = $(shell sed -nE '1s/^[^ ]* ([0-9.]+).*/\1/p' CHANGELOG.md)
dist:
	git archive --format zip --prefix 'bulkpar-$(RELEASE)/' -o 'bulkpar-$(RELEASE).zip' HEAD
	@echo 'dist: bulkpar-$(RELEASE).zip'

# src as PostgreSQL's pgindent formats it, and the types that it must know.
indent: typedefs
	test/indent.sh

typedefs:
	test/indent.sh --typedefs >src/typedefs.list

bench:
	test/bench/run.sh $(BENCH_OPTS)

.PHONY: demo test test-ubsan test-valgrind versions deb dist bench checks \
	$(CHECKS) check-indent indent typedefs
