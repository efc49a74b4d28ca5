"""What a reader must know of the machine to judge the figures."""
import os
import platform
import re

import database

SETTINGS = ('shared_buffers', 'max_wal_size', 'fsync', 'synchronous_commit',
            'autovacuum', 'max_worker_processes')


def first_match(path, pattern):
    with open(path, encoding='utf-8') as file:
        found = re.search(pattern, file.read(), re.MULTILINE)
    return found.group(1) if found else 'unknown'


def describe():
    """Return a few lines of text."""
    connection = database.connect('postgres')
    version = database.execute(connection, 'SELECT version()')[0][0]
    settings = ', '.join(
        f'{name} = {database.execute(connection, f"SHOW {name}")[0][0]}'
        for name in SETTINGS)
    connection.close()
    processor = first_match('/proc/cpuinfo', r'^model name\s*:\s*(.*)$')
    memory = int(first_match('/proc/meminfo', r'^MemTotal:\s*(\d+)')) / 2**20
    return [
        f'{os.cpu_count()} cores ({processor}), {memory:.0f} GB of memory, '
        f'Linux {platform.release()}',
        version.split(',')[0],
        settings,
    ]
