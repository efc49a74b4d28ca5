"""How time and memory grow with the table."""
import ways
from compare import memory, take_turns
from users import Users

# Larger tables are updated once, even larger ones by bulkpar only.
SEVERAL_ROUNDS = 1_000_000
SEVERAL_WAYS = 2_500_000


def run_growth(bench, _, rounds):
    lines = []
    for rows in bench.sizes:
        Users(rows).create()
        for column in bench.columns:
            competitors = {'bulkpar': ways.bulkpar}
            if column == 'first_name' and rows <= SEVERAL_WAYS:
                competitors['one UPDATE'] = ways.one_update
            lines += measure_size(bench, Users(rows, column), competitors,
                                  rounds if rows <= SEVERAL_ROUNDS else 1)
        Users(rows).drop()
    bench.report.title(f'Time and memory against rows of `auth_user`'
                       f' ({rounds} rounds, 1 above {SEVERAL_ROUNDS:,} rows)')
    bench.report.table(['rows', 'column', 'way', 'median', 'time / row',
                        'CPU / row', 'memory'], lines)


def measure_size(bench, change, competitors, rounds):
    """Return the lines of the table for one column at one size."""
    results = take_turns(bench, 'growth', change, competitors, rounds)
    return [[f'{change.rows:,}', change.column, way,
             f'{results.median(way, "seconds"):.3f} s',
             f'{results.median(way, "seconds") / change.rows * 1e6:.2f} µs',
             f'{results.median(way, "cpu") / change.rows * 1e6:.2f} µs',
             memory(results, way)] for way in competitors]
