"""The results: Markdown on stdout, each single measurement in a CSV file."""
import csv
import os
import sys


class Report:
    """Writes both, and how far the run is to stderr."""

    def __init__(self, csv_fd):
        self.stream = open(csv_fd or os.devnull, 'w', newline='',
                           encoding='utf-8')
        self.csv = csv.writer(self.stream)
        self.csv.writerow(['part', 'rows', 'column', 'way', 'round', 'measure',
                           'value'])

    def record(self, part, change, way, number, result):
        """Write one line of CSV per measure of a result."""
        for measure, value in result.items():
            self.csv.writerow([part, change.rows, change.column, way, number,
                               measure, value])
        self.stream.flush()

    @staticmethod
    def progress(text):
        print(text, file=sys.stderr, flush=True)

    @staticmethod
    def line(text=''):
        print(text, flush=True)

    def title(self, text):
        self.line(f'### {text}')
        self.line()

    def table(self, titles, rows):
        self.line('| ' + ' | '.join(titles) + ' |')
        self.line('|---|' + '---:|' * (len(titles) - 1))
        for row in rows:
            self.line('| ' + ' | '.join(row) + ' |')
        self.line()
