"""Notebooks that an accident, or somebody, has made of a good one.

    python tests/grading/fuzz.py [N]

grades N of them (1,000) and prints how many got which verdict, and in how many seconds.
"""

from __future__ import annotations

import copy
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import basket

from lab.grading import sandbox
from lab.grading.course import load
from lab.grading.grader import Grader
from lab.grading.proof import handed_in


def mangled(file: bytes, chance: random.Random) -> bytes:
    """A notebook after some accident."""
    kind = chance.randrange(9)
    if kind == 0:  # bytes
        spoiled = bytearray(file)
        for _ in range(chance.randrange(1, 200)):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        return bytes(spoiled)
    if kind == 1:
        return file[: chance.randrange(len(file))]
    if kind == 2:
        at, size = chance.randrange(len(file)), chance.randrange(1, 3000)
        return file[:at] + file[at + size :]
    if kind == 3:
        at = chance.randrange(len(file))
        return file[:at] + chance.randbytes(chance.randrange(50)) + file[at:]
    notebook = json.loads(file)
    values: list[Any] = [None, 0, -1, 1e308, True, "", "x" * 5000, [], {}, [[]], {"a": {"b": []}},
                         "\ud800", "<script>", ["a", 1, None], 2**70]  # fmt: skip
    for _ in range(chance.randrange(1, 6)):
        cells = notebook["cells"]
        if kind == 4 and cells:
            cells.insert(chance.randrange(len(cells)), copy.deepcopy(chance.choice(cells)))
        elif kind == 5 and cells:
            cells.pop(chance.randrange(len(cells)))
        elif kind == 6:
            chance.shuffle(cells)
        elif kind == 7 and cells:
            target = chance.choice(cells)
            if type(target) is dict:
                target[chance.choice([*target, "new"])] = chance.choice(values)
        elif cells:
            target = chance.choice(cells)
            if type(target) is dict and type(target.get("metadata")) is dict:
                meta = target["metadata"].setdefault("nbgrader", {})
                if type(meta) is dict:
                    meta[chance.choice([*meta, "grade_id"])] = chance.choice(values)
            else:
                cells[chance.randrange(len(cells))] = chance.choice(values)
    return json.dumps(notebook).encode()


def files(whole: bytes, number: int) -> Iterator[bytes]:
    """As many mangled copies of a notebook, the same ones each time."""
    chance = random.Random(20240229)
    for _ in range(number):
        yield mangled(whole, chance)


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        course = basket.build(Path(folder))
        began = time.perf_counter()
        with Grader(load(course, basket.NAME), sandbox.choose()) as grader:
            whole = handed_in(course, basket.NAME)
            counts = Counter(grader.grade(file)["status"] for file in files(whole, number))
        seconds = time.perf_counter() - began
    told = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    print(f"{sum(counts.values())} verdicts in {seconds:.0f} s: {told}")


if __name__ == "__main__":
    main()
