# SPDX-License-Identifier: LGPL-2.1-or-later
"""results.py - records of runs in a file of JSON lines, to which any number of series add"""
import gzip
import json


def append(record, path):
    """One more line of results."""
    with open(path, "a", encoding="ascii") as file:
        file.write(json.dumps(record, separators=(",", ":")) + "\n")


def read_all(paths):
    """The records of files that append() wrote, or of such files that gzip has made smaller."""
    records = []
    for path in paths:
        opener = gzip.open if path.endswith(".gz") else open
        with opener(path, "rt", encoding="ascii") as file:
            records += [json.loads(line) for line in file]
    return records
