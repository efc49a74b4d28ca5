/*
 * Included before all else where "make test-valgrind" builds bulkpar.  With so
 * small blocks, all but the shortest allocations in a memory context of ours are
 * blocks that malloc() has given, so that valgrind knows where each of them ends
 * and when it was freed.
 */
#include "postgres.h"

#include "utils/memutils.h"

#undef ALLOCSET_DEFAULT_SIZES
#define ALLOCSET_DEFAULT_SIZES 0, 136, 136
#undef ALLOCSET_SMALL_SIZES
#define ALLOCSET_SMALL_SIZES ALLOCSET_DEFAULT_SIZES
