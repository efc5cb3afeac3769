"""What every submission would otherwise do for the first time: done once, before the fork.

Libraries import half of themselves on first use. This uses them a little, on data of no account, so
that a child finds the work done. Nothing here may start a thread: a fork would lose it.
"""

from __future__ import annotations

import contextlib
import json
import sys


def warm_up() -> None:
    """Use the libraries that are loaded, once."""
    with contextlib.suppress(Exception):  # only time is lost where one of them has changed
        if "pandas" in sys.modules:
            _tables()
        if "duckdb" in sys.modules or "lab.exercise" in sys.modules:  # whose `rows` needs it
            _queries()


def _tables() -> None:
    import pandas as pd

    from lab.grading.wire import Decoder, Encoder, Exports

    frame = pd.DataFrame(
        {
            "text": ["a", "b"],
            "number": [1.5, 2.0],
            "moment": pd.to_datetime(["2024-01-01", "2024-01-02"]),
            "count": [1, 2],
        }
    )
    total = frame.groupby("text", as_index=False)["number"].sum()
    total.sort_values("text", ignore_index=True).merge(frame, on="text")
    frame[frame["number"] > 1].loc[:, ["text"]].to_dict("records")
    repr(frame)
    encode = Encoder(Exports())
    told = encode([frame, frame.set_index("text"), frame["number"], frame["count"].to_numpy()])
    Decoder(bytes(encode.body), lambda told: told)(json.loads(json.dumps(told)))


def _queries() -> None:
    import pandas as pd
    import pyarrow as pa

    from lab import exercise

    frame = pd.DataFrame({"n": [1, 2]})
    small = pa.Table.from_pandas(frame)
    for table in (frame, small, pa.concat_tables([small] * exercise.SMALL_ROWS)):
        exercise.run(["select sum(n) from t"], {"t": table})  # each is brought in its own way
