"""The demo: one change of 100,000 Django users, made in five ways."""
import argparse
import os

import database
import django_ways
import ways
from users import Users

# A value per row, made in Python.
VALUES = {
    "Django's bulk_update, batches of 1000": django_ways.bulk_update,
    f'the same in a pool of {django_ways.POOL_SIZE} processes':
        django_ways.pool,
    'COPY of the values, then bulkpar_update': django_ways.copy,
}
# An expression for all rows.
EXPRESSION = {
    'one UPDATE statement': ways.one_update,
    'bulkpar_update, batches of 1000': ways.bulkpar,
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rows', type=int, default=100_000)
    return parser.parse_args()


def some_users(count=5):
    """Pairs of the name before and after, from all over the table."""
    return database.run("""
        SELECT lower(username), username FROM auth_user
        WHERE id IN (SELECT 1 + (SELECT max(id) - 1 FROM auth_user) * i / %s
                     FROM generate_series(0, %s) AS i)
        ORDER BY id""", (count - 1, count - 1))


def print_ratios(times, subject, others):
    print(f'\n{subject}, is')
    for name in others:
        print(f'  {times[name] / times[subject]:5.1f} times as fast as {name}')


def main():
    rows = parse_arguments().rows
    print(f"Creating Django's auth_user with {rows:,} users ...", flush=True)
    change = Users(rows)
    change.create()
    version = database.run('SHOW server_version',
                           database='postgres')[0][0].split()[0]

    print(f'\nPostgreSQL {version}, {os.cpu_count()} cores. Each way sets'
          ' username = upper(username) in a fresh copy of\nthe same table;'
          ' Django has loaded its objects before the clock starts. The'
          '\nfirst three make the values in Python, a value per row.\n',
          flush=True)
    times = {}
    for name, run in {**VALUES, **EXPRESSION}.items():
        change.start_afresh()
        times[name] = run(change)
        change.check()
        print(f'  {name:<42}{times[name]:8.2f} s', flush=True)

    *others, fastest = times
    print_ratios(times, fastest, others)
    *others, fastest = VALUES
    print_ratios(times, fastest, others)

    print(f'\nEach way changed all {rows:,} users. Five of them:')
    for before, after in some_users():
        print(f'  {before}  ->  {after}')


if __name__ == '__main__':
    main()
