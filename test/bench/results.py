# SPDX-License-Identifier: LGPL-2.1-or-later
"""results.py - records of runs in a file of JSON lines, to which any number of series add"""
import json


def append(record, path):
    """One more line of results."""
    with open(path, "a", encoding="ascii") as file:
        file.write(json.dumps(record, separators=(",", ":")) + "\n")


def read_all(paths):
    """The records of files that append() wrote."""
    records = []
    for path in paths:
        with open(path, encoding="ascii") as file:
            records += [json.loads(line) for line in file]
    return records
