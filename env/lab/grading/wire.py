"""What crosses between a student's process and the tests: plain data, one frame a message.

Both ends use this module, but only one of them can be trusted, so what is read is taken apart as if
a stranger had made it: sizes are checked before anything is kept, values are rebuilt as plain types
(nothing is unpickled, no class is looked up by name outside a fixed list), Arrow is validated in
full, and a reply has to answer the question that was asked. A function, an iterator or an object
stays where it is; a stand-in crosses, and each use of it is a question to the other side.
"""

from __future__ import annotations

import asyncio
import base64
import builtins
import dataclasses
import datetime as dt
import decimal
import functools
import inspect
import io
import itertools
import json
import math
import pathlib
import struct
import sys
import time
import types
import uuid
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

HEADER = struct.Struct(">II")
MAX_HEADER = 4 * 2**20
MAX_DEPTH = 60
LONG = 2**63
MAX_ASKED_BACK = 40
"""How deep a question may be answered by a question."""

Json = Any


class CannotCross(Exception):
    """A value that is neither data nor something to call; the text is for the student."""


class Hostile(Exception):
    """What came is not what an honest other side sends."""


class Gone(Exception):
    """The other side ended, or did not answer in time (`timeout`)."""

    def __init__(self, message: str, *, timeout: bool = False) -> None:
        super().__init__(message)
        self.timeout = timeout


class OutOfTime(BaseException):
    """A cell or a call of the student's took longer than it may.

    No `Exception`, so that neither a student's loop that goes on whatever happens nor a test that
    wants something refused takes it for an error of the code.
    """


class RemoteError(Exception):
    """An exception of the other side that is of no kind that Python brings."""


# --- values -------------------------------------------------------------------------------------

NUMBER_DTYPES = frozenset("biuf")
FRAME_DTYPES = {
    **{f"{kind}{bits}": f"{kind}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)},
    "Float32": "Float32", "Float64": "Float64", "boolean": "boolean", "string": "string",
}  # fmt: skip
"""pandas' own types that Arrow alone would not bring back."""


AS_IT_IS = frozenset({str, bool, type(None)})
LIBRARIES = frozenset({"numpy", "pandas", "pyarrow", "polars"})


@functools.lru_cache(1000)
def _of_libraries(kind: type) -> bool:
    """Whether a type is one of those libraries', or made from one."""
    return any(str(base.__module__).partition(".")[0] in LIBRARIES for base in kind.__mro__)


def _is_a(value: object, module: str, *names: str) -> bool:
    """Whether a value is of a library's type, without importing the library."""
    loaded = sys.modules.get(module)
    kinds = tuple(kind for name in names if isinstance(kind := getattr(loaded, name, None), type))
    return bool(kinds) and isinstance(value, kinds)


class Encoder:
    """Turns values into JSON and a body of bytes; keeps what must stay here in `exports`."""

    def __init__(self, exports: Exports) -> None:
        self.exports = exports
        self.body = bytearray()

    def blob(self, data: bytes | memoryview) -> Json:
        at = len(self.body)
        self.body += data
        return [at, len(self.body) - at]

    def __call__(self, value: object, depth: int = 0) -> Json:
        kind = type(value)
        if kind in AS_IT_IS or (kind is int and -LONG < value < LONG):
            return value
        if kind is float and math.isfinite(value):
            return value
        if depth > MAX_DEPTH:
            raise CannotCross(f"it is nested deeper than {MAX_DEPTH} levels")
        if kind is list:
            return self.each(value, depth + 1)
        again = functools.partial(self, depth=depth + 1)
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            plain = int(value)
            return plain if abs(plain) < LONG else {"$": "int", "v": hex(plain)}
        if isinstance(value, float) and not _is_a(value, "numpy", "generic"):
            plain = float(value)
            return plain if math.isfinite(plain) else {"$": "float", "v": repr(plain)}
        if isinstance(value, dict):
            if set(map(type, value)) <= {str} and "$" not in value:
                return dict(zip(value, self.each(value.values(), depth + 1), strict=True))
            return {"$": "dict", "v": [[again(k), again(v)] for k, v in value.items()]}
        for group in (tuple, set, frozenset, list):
            name = group.__name__
            if isinstance(value, group):
                return {"$": name, "v": self.each(value, depth + 1)}
        if isinstance(value, (bytes, bytearray, memoryview)):
            return {"$": "bytes", "v": self.blob(bytes(value))}
        if isinstance(value, complex):
            return {"$": "complex", "v": [again(value.real), again(value.imag)]}
        if _of_libraries(kind):
            library = self.of_a_library(value, again)
            if library is not None:
                return library
        if isinstance(value, dt.datetime):
            zone = getattr(value.tzinfo, "key", None)
            return {"$": "datetime", "v": value.isoformat(), "zone": zone}
        for name, group in (("date", dt.date), ("time", dt.time)):
            if isinstance(value, group):
                return {"$": name, "v": value.isoformat()}
        if isinstance(value, dt.timedelta):
            return {"$": "timedelta", "v": [value.days, value.seconds, value.microseconds]}
        for name, group in (("decimal", decimal.Decimal), ("uuid", uuid.UUID)):
            if isinstance(value, group):
                return {"$": name, "v": str(value)}
        if isinstance(value, pathlib.PurePath):
            return {"$": "path", "v": str(value)}
        if isinstance(value, range):
            return {"$": "range", "v": [value.start, value.stop, value.step]}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {f.name: again(getattr(value, f.name)) for f in dataclasses.fields(value)}
            return {"$": "record", "v": fields}
        if isinstance(value, types.ModuleType):
            raise CannotCross("it is a module; import it in the test cell")
        return {
            "$": "object",
            "v": self.exports.keep(value),
            "name": str(getattr(value, "__name__", kind.__name__))[:80],
            "calls": callable(value),
            "awaits": inspect.iscoroutinefunction(value),
            "iterates": isinstance(value, Iterator),
        }

    def each(self, values: Iterable[object], depth: int) -> list[Json]:
        """Values one by one; most are plain, and spared a call."""
        return [
            value
            if type(value) in AS_IT_IS or (type(value) is int and -LONG < value < LONG)
            else self(value, depth)
            for value in values
        ]

    def of_a_library(self, value: object, again: Callable[[object], Json]) -> Json:
        """numpy, pandas, Arrow and Polars; None for anything else."""
        if _is_a(value, "numpy", "generic"):
            return self.array(value.reshape(1), again) | {"$": "scalar"}
        if _is_a(value, "numpy", "ndarray"):
            return self.array(value, again)
        if _is_a(value, "pandas", "DataFrame"):
            return self.frame(value, again)
        if _is_a(value, "pandas", "Series"):
            frame = self.frame(value.to_frame("0"), again)
            return frame | {"$": "series", "name": again(value.name)}
        if _is_a(value, "pandas", "Index"):
            frame = self.frame(value.to_frame(index=False), again)
            return frame | {"$": "index", "name": [again(name) for name in value.names]}
        pandas = sys.modules.get("pandas")
        if pandas is not None and (value is pandas.NaT or value is pandas.NA):
            return {"$": "NaT" if value is pandas.NaT else "NA"}
        if _is_a(value, "pandas", "Timestamp"):
            zone = getattr(value.tzinfo, "key", None)
            return {"$": "timestamp", "v": value.isoformat(), "zone": zone}
        if _is_a(value, "pandas", "Timedelta"):
            return {"$": "pandas_timedelta", "v": value.isoformat()}
        if _is_a(value, "pyarrow", "Table"):
            return {"$": "table", "v": self.arrow(value)}
        if _is_a(value, "polars", "DataFrame"):
            return {"$": "polars", "v": self.arrow(value.to_arrow())}
        if _is_a(value, "polars", "Series"):
            frame = value.to_frame("0").to_arrow()
            return {"$": "polars_series", "v": self.arrow(frame), "name": value.name}
        return None

    def array(self, value: Any, again: Callable[[object], Json]) -> Json:
        shape, kind = list(value.shape), value.dtype.kind
        if kind in NUMBER_DTYPES or kind in "mM":
            data = self.blob(value.tobytes())
            return {"$": "array", "v": data, "dtype": value.dtype.str, "shape": shape}
        if kind in "OU":
            items = [again(item) for item in value.ravel().tolist()]
            return {"$": "array", "v": items, "dtype": kind, "shape": shape}
        raise CannotCross(f"it is an array of {value.dtype}, which can't be sent")

    def arrow(self, table: Any) -> Json:
        import pyarrow as pa

        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return self.blob(sink.getbuffer())

    def frame(self, frame: Any, again: Callable[[object], Json]) -> Json:
        """A pandas table: values as Arrow where Arrow keeps them exactly, else one by one."""
        import pandas as pd
        import pyarrow as pa

        arrays, columns = [], []
        index = frame.index
        if type(index) is pd.RangeIndex:
            levels: list[Any] = []
            index_as: Json = [index.start, index.stop, index.step]
        else:
            levels = [index.get_level_values(i) for i in range(index.nlevels)]
            index_as = None
        for column in [*(frame.iloc[:, i] for i in range(frame.shape[1])), *levels]:
            dtype = str(column.dtype)
            plain = dtype == "object" and any(
                type(item) is not str and item is not None for item in column
            )
            if plain:
                columns.append({"dtype": "object", "v": [again(item) for item in column]})
                continue
            try:
                array = pa.Array.from_pandas(column)
            except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
                raise CannotCross(f"a column of type {dtype} can't be sent ({error})") from error
            if isinstance(array, pa.ChunkedArray):
                array = array.combine_chunks()
            columns.append({"dtype": dtype, "at": len(arrays)})
            arrays.append(array)
        names = [str(number) for number in range(len(arrays))]
        table = pa.Table.from_arrays(arrays, names=names)
        labels = frame.columns
        return {
            "$": "frame",
            "v": self.arrow(table),
            "rows": len(frame),
            "columns": columns,
            "labels": [again(label) for label in labels.tolist()],
            "labels_range": [frame.columns.start, frame.columns.stop, frame.columns.step]
            if type(frame.columns) is pd.RangeIndex
            else None,
            "labels_named": [again(name) for name in labels.names],
            "levels": len(levels),
            "index": index_as,
            "freq": getattr(index, "freqstr", None),
            "index_named": [again(name) for name in index.names],
        }


NESTED = frozenset({list, dict})


def _checked(condition: object, what: str) -> None:
    if not condition:
        raise Hostile(what)


class Decoder:
    """Rebuilds values from what came; `remote` makes the stand-in for what stayed there."""

    def __init__(self, body: bytes, remote: Callable[[dict[str, Any]], object]) -> None:
        self.body = body
        self.remote = remote

    def blob(self, place: Json) -> memoryview:
        at, size = self.ints(place, 2)
        _checked(at >= 0 and size >= 0 and at + size <= len(self.body), "bytes that are not there")
        return memoryview(self.body)[at : at + size]

    def ints(self, value: Json, count: int) -> list[int]:
        _checked(
            type(value) is list and len(value) == count and all(type(v) is int for v in value),
            "not the whole numbers that were due",
        )
        return value

    def text(self, value: Json, limit: int = 10_000) -> str:
        _checked(type(value) is str and len(value) <= limit, "not the text that was due")
        return value

    def items(self, value: Json, depth: int) -> list[object]:
        _checked(type(value) is list, "not the list that was due")
        deeper = depth + 1
        return [self(item, deeper) if type(item) in NESTED else item for item in value]

    def __call__(self, value: Json, depth: int = 0) -> Any:
        _checked(depth <= MAX_DEPTH, "nested too deep")
        if type(value) is list:
            return self.items(value, depth)
        if type(value) is not dict:
            return value
        if "$" not in value:
            return dict(zip(value, self.items(list(value.values()), depth), strict=True))
        rebuild = REBUILD.get(value["$"]) if type(value["$"]) is str else None
        _checked(rebuild, "a kind of value that is not known")
        try:
            return rebuild(self, value, depth)
        except (Hostile, CannotCross, MemoryError, RecursionError):
            raise
        except Exception as error:  # whatever a library says of bytes that a stranger made
            raise Hostile(f"a broken {value['$']} ({type(error).__name__})") from error

    # Each of these is reached through REBUILD only.

    def array(self, value: dict[str, Any], depth: int) -> Any:
        import numpy as np

        shape = value["shape"]
        _checked(type(shape) is list and len(shape) <= 8, "not the shape of an array")
        self.ints(shape, len(shape))
        if value["dtype"] in ("O", "U"):
            items = self.items(value["v"], depth)
            array = np.empty(len(items), dtype=object)
            for number, item in enumerate(items):  # one by one, or numpy would look inside
                array[number] = item
            if value["dtype"] == "U":
                _checked(all(type(item) is str for item in items), "not an array of text")
                array = array.astype(str)
            return array.reshape(shape)
        dtype = np.dtype(self.text(value["dtype"], 40))
        _checked(dtype.kind in "biufmM" and not dtype.hasobject, "not a type of number")
        return np.frombuffer(self.blob(value["v"]), dtype=dtype).reshape(shape).copy()

    def scalar(self, value: dict[str, Any], depth: int) -> Any:
        array = self.array(value, depth)
        _checked(array.shape == (1,), "not a single number")
        return array[0]

    def arrow(self, value: dict[str, Any], depth: int) -> Any:
        import pyarrow as pa

        with pa.ipc.open_stream(pa.py_buffer(bytes(self.blob(value["v"])))) as stream:
            for field in stream.schema:
                self.arrow_type(field.type, 0)
            table = stream.read_all().replace_schema_metadata(None)
        table.validate(full=True)
        bare = [pa.field(f.name, f.type, f.nullable) for f in table.schema]
        return pa.table(table.columns, schema=pa.schema(bare))

    def arrow_type(self, kind: Any, depth: int) -> None:
        """Refuse types that run code of their own, and nests that are too deep."""
        import pyarrow as pa

        _checked(depth <= 12, "an Arrow type nested too deep")
        _checked(not isinstance(kind, pa.BaseExtensionType), "an Arrow extension type")
        if pa.types.is_dictionary(kind):
            self.arrow_type(kind.value_type, depth + 1)
        for number in range(kind.num_fields):
            self.arrow_type(kind.field(number).type, depth + 1)

    def polars(self, value: dict[str, Any], depth: int) -> Any:
        import polars as pl

        frame = pl.from_arrow(self.arrow(value, depth))
        if value["$"] == "polars":
            return frame
        _checked(frame.width == 1, "not a single column")
        return frame.to_series().alias(self.text(value["name"]))

    def frame(self, value: dict[str, Any], depth: int) -> Any:
        import pandas as pd

        table, rows = self.arrow(value, depth), value["rows"]
        _checked(type(rows) is int and 0 <= rows < 2**31, "not a number of rows")
        _checked(type(value["columns"]) is list, "not the columns of a table")
        columns = []
        for told in value["columns"]:
            _checked(type(told) is dict, "not a column")
            if "at" in told:
                array = table.column(self.ints([told["at"]], 1)[0])
                extension = FRAME_DTYPES.get(self.text(told["dtype"], 80))
                if extension:
                    column = pd.Series(
                        array.to_pandas(
                            types_mapper={array.type: pd.api.types.pandas_dtype(extension)}.get
                        )
                    )
                else:
                    column = array.to_pandas()
                    if told["dtype"].startswith("datetime64[ns"):
                        column = column.dt.as_unit("ns")
            else:
                items = self.items(told["v"], depth)
                column = pd.Series([None] * len(items), dtype=object)
                for number, item in enumerate(items):
                    column.array[number] = item
            _checked(len(column) == rows, "columns of different lengths")
            columns.append(column)
        levels = value["levels"]
        _checked(type(levels) is int and 0 <= levels <= len(columns), "not a number of levels")
        body, levels_of = columns[: len(columns) - levels], columns[len(columns) - levels :]
        index_names = [_hashable(name) for name in self.items(value["index_named"], depth)]
        if levels == 0:
            index: Any = pd.RangeIndex(*self.ints(value["index"], 3)).rename(index_names[0])
            _checked(len(index) == rows, "an index of another length")
        elif levels == 1:
            index = pd.Index(levels_of[0]).rename(index_names[0])
            if value.get("freq"):
                index = type(index)(index, freq=self.text(value["freq"], 40), name=index.name)
        else:
            index = pd.MultiIndex.from_arrays(levels_of, names=index_names)
        frame = pd.DataFrame(dict(enumerate(body)), index=range(rows))
        labels = [_hashable(label) for label in self.items(value["labels"], depth)]
        _checked(len(labels) == frame.shape[1], "more or fewer names than columns")
        label_names = [_hashable(name) for name in self.items(value["labels_named"], depth)]
        if value.get("labels_range"):
            numbers = pd.RangeIndex(*self.ints(value["labels_range"], 3)).rename(label_names[0])
            _checked(len(numbers) == len(labels), "names of another number")
            frame.columns = numbers
        elif len(label_names) > 1:
            frame.columns = pd.MultiIndex.from_tuples(labels, names=label_names)
        else:
            frame.columns = pd.Index(labels, name=label_names[0], dtype=None if labels else object)
        frame.index = index
        return frame

    def series(self, value: dict[str, Any], depth: int) -> Any:
        frame = self.frame(value, depth)
        _checked(frame.shape[1] == 1, "not a single column")
        return frame.iloc[:, 0].rename(_hashable(self(value["name"], depth + 1)))

    def index(self, value: dict[str, Any], depth: int) -> Any:
        import pandas as pd

        frame = self.frame(value, depth)
        names = [_hashable(name) for name in self.items(value["name"], depth)]
        if frame.shape[1] == 1:
            return pd.Index(frame.iloc[:, 0]).rename(names[0])
        return pd.MultiIndex.from_frame(frame, names=names)

    def timestamp(self, value: dict[str, Any], depth: int) -> Any:
        import pandas as pd

        stamp = pd.Timestamp(self.text(value["v"], 80))
        return stamp.tz_convert(self.text(value["zone"], 80)) if value.get("zone") else stamp

    def moment(self, value: dict[str, Any], depth: int) -> dt.datetime:
        from zoneinfo import ZoneInfo

        moment = dt.datetime.fromisoformat(self.text(value["v"], 80))
        zone = value.get("zone")
        return moment.astimezone(ZoneInfo(self.text(zone, 80))) if zone else moment

    def record(self, value: dict[str, Any], depth: int) -> types.SimpleNamespace:
        fields = value["v"]
        _checked(type(fields) is dict, "not a record")
        bad = [name for name in fields if not name.isidentifier() or name.startswith("__")]
        _checked(not bad, "not the field of a record")
        values = {name: self(value, depth + 1) for name, value in fields.items()}
        if any(isinstance(value, Remote) for value in values.values()):
            raise CannotCross("it is a record with something in it that is not data")
        return types.SimpleNamespace(**values)

    def pandas_missing(self, value: dict[str, Any], depth: int) -> Any:
        import pandas as pd

        return pd.NaT if value["$"] == "NaT" else pd.NA

    def pandas_timedelta(self, value: dict[str, Any], depth: int) -> Any:
        import pandas as pd

        return pd.Timedelta(self.text(value["v"], 80))

    def whole(self, value: dict[str, Any], depth: int) -> int:
        return int(self.text(value["v"], 200_000), 16)

    def decimal(self, value: dict[str, Any], depth: int) -> decimal.Decimal:
        return decimal.Decimal(self.text(value["v"], 2_000))

    def set_of(self, value: dict[str, Any], depth: int) -> Any:
        items = [_hashable(item) for item in self.items(value["v"], depth)]
        return set(items) if value["$"] == "set" else frozenset(items)

    def dictionary(self, value: dict[str, Any], depth: int) -> dict[Any, Any]:
        pairs = [self.items(pair, depth + 1) for pair in value["v"]]
        _checked(all(len(pair) == 2 for pair in pairs), "not a key and its value")
        return {_hashable(key): item for key, item in pairs}

    def stand_in(self, value: dict[str, Any], depth: int) -> object:
        self.ints([value["v"]], 1)
        self.text(value["name"], 80)
        return self.remote(value)


def _hashable(value: Any) -> Any:
    """A key or a name: plain and hashable, so that looking it up runs no foreign code."""
    _checked(not isinstance(value, Remote), "a key that is not data")
    hash(value)
    return value


REBUILD: dict[str, Callable[[Decoder, dict[str, Any], int], Any]] = {
    "int": Decoder.whole,
    "float": lambda d, v, n: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[v["v"]],
    "complex": lambda d, v, n: complex(*d.items(v["v"], n)),
    "dict": Decoder.dictionary,
    "list": lambda d, v, n: d.items(v["v"], n),
    "tuple": lambda d, v, n: tuple(d.items(v["v"], n)),
    "set": Decoder.set_of,
    "frozenset": Decoder.set_of,
    "bytes": lambda d, v, n: bytes(d.blob(v["v"])),
    "datetime": Decoder.moment,
    "date": lambda d, v, n: dt.date.fromisoformat(d.text(v["v"], 40)),
    "time": lambda d, v, n: dt.time.fromisoformat(d.text(v["v"], 40)),
    "timedelta": lambda d, v, n: dt.timedelta(*d.ints(v["v"], 3)),
    "decimal": Decoder.decimal,
    "uuid": lambda d, v, n: uuid.UUID(d.text(v["v"], 60)),
    "path": lambda d, v, n: pathlib.PurePosixPath(d.text(v["v"])),
    "range": lambda d, v, n: range(*d.ints(v["v"], 3)),
    "record": Decoder.record,
    "array": Decoder.array,
    "scalar": Decoder.scalar,
    "frame": Decoder.frame,
    "series": Decoder.series,
    "index": Decoder.index,
    "timestamp": Decoder.timestamp,
    "pandas_timedelta": Decoder.pandas_timedelta,
    "NaT": Decoder.pandas_missing,
    "NA": Decoder.pandas_missing,
    "table": Decoder.arrow,
    "polars": Decoder.polars,
    "polars_series": Decoder.polars,
    "object": Decoder.stand_in,
}


# --- what stays on its side ---------------------------------------------------------------------


class Exports:
    """Things that the other side may use by number."""

    def __init__(self, limit: int = 100_000, *, callables_only: bool = False) -> None:
        self.things: dict[int, object] = {}
        self.numbers = itertools.count(1)
        self.limit = limit
        self.callables_only = callables_only

    def keep(self, thing: object) -> int:
        if self.callables_only and not callable(thing):
            raise CannotCross(f"a {type(thing).__name__} is neither data nor a function")
        if len(self.things) >= self.limit:
            raise CannotCross("too many functions and objects were handed over")
        number = next(self.numbers)
        self.things[number] = thing
        return number


class Remote:
    """Something of the other side that stayed there: iterating it asks there, and so on.

    Its attributes and methods are closed unless the author opened it (`open_up`): a test that says
    `table.equals(due)` must not get its answer from an object with an `equals` of its own.

    It is equal to nothing but itself and has no length and no truth of its own: a test that
    compares it has to ask for data first.
    """

    def __init__(self, peer: Peer, told: dict[str, Any]) -> None:
        object.__setattr__(self, "_told", (peer, told["v"], told["name"]))
        object.__setattr__(self, "_open", False)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if not self._open:
            raise CannotCross(f"{self!r} is an object, not data; hand in a value or a function")
        peer, number, _ = self._told
        return open_up(peer.ask("attribute", of=number, name=name))

    def __setattr__(self, name: str, value: object) -> None:
        raise CannotCross("an object of the student can be asked, not changed")

    def __iter__(self) -> Iterator[Any]:
        peer, number, _ = self._told
        iterator = peer.ask("iterate", of=number)
        while True:
            found = peer.ask("next", of=object.__getattribute__(iterator, "_told")[1])
            if not found:
                return
            yield found[0]

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        raise CannotCross(f"{self!r} is not data, so it can't be compared; hand in a value")

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise CannotCross(f"{self!r} is not data, so it is neither true nor false")

    def __len__(self) -> int:
        # A TypeError, because list() asks for a length first and goes on without one.
        raise TypeError(f"{self!r} is not data, so it has no length here; hand in a list or table")

    def __repr__(self) -> str:
        return f"<the student's {self._told[2]}>"


class RemoteFunction(Remote):
    """A function of the other side; to call it is to ask."""

    def __call__(self, *args: object, **kwargs: object) -> Any:
        peer, number, _ = self._told
        value = peer.ask("call", of=number, args=list(args), kwargs=kwargs)
        return open_up(value) if self._open else value


class RemoteCoroutine(RemoteFunction):
    """An `async def` of the other side; it runs there, to its end, when it is awaited here."""

    async def __call__(self, *args: object, **kwargs: object) -> Any:
        return super().__call__(*args, **kwargs)


def open_up(value: Any) -> Any:
    """Let attributes and methods of what stayed there be used, and of what they give."""
    if isinstance(value, Remote):
        object.__setattr__(value, "_open", True)
    return value


# --- messages -----------------------------------------------------------------------------------

RAISED = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and not issubclass(kind, (Warning, BaseExceptionGroup))
    # Those can't be made from a message alone.
    and not issubclass(kind, (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError))
    # One that ends a loop would end the test's: all(map(f, cases)) of nothing is true.
    and not issubclass(kind, (StopIteration, StopAsyncIteration))
}
"""What a student's code raises arrives as the nearest of these, so that `except ValueError` is met
by a ValueError of the student's own."""


class Peer:
    """One end of the line: asks, and while it waits answers what it is asked.

    Args:
        stream: a connected stream socket; the peer owns it.
        answers: what may be asked of this side beside the use of what it exported.
        offers: which uses of what it exported are answered.
        max_body: bytes that one message may carry.
        seconds: how long an answer may take, when `ask` is not told otherwise.
    """

    def __init__(
        self,
        stream: Any,
        answers: dict[str, Callable[..., object]] | None = None,
        *,
        offers: frozenset[str] = frozenset({"call", "attribute", "iterate", "next"}),
        max_body: int = 64 * 2**20,
        seconds: float | None = None,
    ) -> None:
        self.stream = stream
        self.answers = answers or {}
        self.offers = offers
        self.exports = Exports(callables_only=offers == {"call"})
        self.max_body = max_body
        self.seconds = seconds
        self.numbers = itertools.count(1)
        self.depth = 0
        self.gone: Gone | None = None

    # asking

    def ask(self, op: str, *, within: float | None = None, **fields: object) -> Any:
        """Ask the other side, wait, and return its answer.

        Args:
            op: what is asked.
            within: seconds to wait; the peer's own limit when None.
            **fields: values that go with the question.

        Raises:
            CannotCross: a field or the answer is not data.
            Gone: the other side ended or took too long; no later question is answered.
            Hostile: what came makes no sense; the line is closed.
            Exception: what the other side raised while it answered.
        """
        if self.gone:
            raise self.gone
        number = next(self.numbers)
        seconds = within if within is not None else self.seconds
        deadline = None if seconds is None else time.monotonic() + seconds
        try:
            self.send({"n": number, "op": op}, fields, deadline)
            while True:
                head, body = self.receive(deadline)
                if "op" in head:
                    self.answer(head, body)
                    continue
                _checked(head.get("n") == number, "an answer to a question that was not asked")
                value, raised = self.opened(head, body)
                break
        except (Gone, Hostile, OSError, MemoryError, RecursionError) as error:
            gone = error if isinstance(error, Gone) else Gone(str(error) or type(error).__name__)
            self.gone = gone
            self.close()
            raise self.gone from error
        if raised is not None:  # here, where an OSError of the student's is not one of the line
            raise raised
        return value

    def opened(self, head: dict[str, Any], body: bytes) -> tuple[Any, BaseException | None]:
        """The value of an answer, or the error that is the answer."""
        decode = Decoder(body, self.remote)
        if "value" in head:
            return decode(head["value"]), None
        raised = head.get("raised")
        _checked(type(raised) is list and len(raised) == 2, "neither an answer nor an error")
        _checked(type(raised[0]) is list and 0 < len(raised[0]) <= 60, "not the kinds of an error")
        kinds = [decode.text(kind, 200) for kind in raised[0]]
        message = decode.text(raised[1], 20_000)
        for kind in (CannotCross, OutOfTime):
            if kinds[0] == kind.__name__:
                return None, kind(message)
        known = next((RAISED[kind] for kind in kinds if kind in RAISED), Exception)
        if known is Exception and kinds[0] != "Exception":
            return None, RemoteError(f"{kinds[0]}: {message}")
        return None, known(message)

    def remote(self, told: dict[str, Any]) -> Remote:
        if told.get("awaits") is True:
            return RemoteCoroutine(self, told)
        return (RemoteFunction if told.get("calls") is True else Remote)(self, told)

    # answering

    def serve(self) -> None:
        """Answer questions until the other side hangs up."""
        while True:
            try:
                head, body = self.receive(None)
            except (Gone, OSError):
                return
            self.answer(head, body)

    def answer(self, head: dict[str, Any], body: bytes) -> None:
        number, op = head.get("n"), head.get("op")
        _checked(type(number) is int and type(op) is str, "not a question")
        _checked(self.depth < MAX_ASKED_BACK, "questions that never end")
        self.depth += 1
        try:
            fields = Decoder(body, self.remote)(head.get("fields") or {})
            value = self.act(op, fields)
            self.send({"n": number}, {"value": value}, None, flat=True)
        except (Gone, Hostile):
            raise
        except BaseException as error:
            self.send_error(number, error)
        finally:
            self.depth -= 1

    def act(self, op: str, fields: dict[str, Any]) -> object:
        if op in self.answers:
            return self.answers[op](**fields)
        if op not in self.offers:
            raise Hostile(f"nothing here answers to {op!r}")
        thing = self.exports.things[fields["of"]]
        match op:
            case "call":
                value = thing(*fields["args"], **fields["kwargs"])  # type: ignore[operator]
                return finished(value) if inspect.iscoroutine(value) else value
            case "attribute":
                name = fields["name"]
                if name.startswith("_"):
                    raise AttributeError(name)
                return getattr(thing, name)
            case "iterate":
                return {"iterator": iter(thing)}["iterator"]  # type: ignore[call-overload]
            case _:
                return list(itertools.islice(thing, 1))  # type: ignore[call-overload]

    def send_error(self, number: int, error: BaseException) -> None:
        try:
            message = str(error)[:20_000]
        except BaseException:
            message = ""
        kinds = [kind.__name__[:200] for kind in type(error).__mro__[:60]]
        self.send_raw({"n": number, "raised": [kinds, message]}, b"", None)

    # frames

    def send(
        self,
        head: dict[str, Any],
        fields: dict[str, Any],
        deadline: float | None,
        flat: bool = False,
    ) -> None:
        encode = Encoder(self.exports)
        if flat:
            coded = {key: encode(value) for key, value in fields.items()}
            head = head | coded
        else:
            head = head | {"fields": {key: encode(value) for key, value in fields.items()}}
        self.send_raw(head, bytes(encode.body), deadline)

    def send_raw(self, head: dict[str, Any], body: bytes, deadline: float | None) -> None:
        text = TO_JSON(head).encode()
        if len(text) > MAX_HEADER or len(body) > self.max_body:
            raise CannotCross(
                f"it is too large to be sent ({(len(text) + len(body)) / 2**20:.0f} MB)"
            )
        self.wait(deadline)
        try:
            self.stream.sendall(HEADER.pack(len(text), len(body)) + text + body)
        except TimeoutError as error:
            raise Gone("it did not read what it was sent", timeout=True) from error
        except OSError as error:
            raise Gone("it ended") from error

    def receive(self, deadline: float | None) -> tuple[dict[str, Any], bytes]:
        sizes = HEADER.unpack(self.exactly(HEADER.size, deadline))
        small = sizes[0] <= MAX_HEADER and sizes[1] <= self.max_body
        _checked(small, "a message that is too large")
        whole = self.exactly(sum(sizes), deadline)
        text, body = whole[: sizes[0]], whole[sizes[0] :]
        try:
            head = FROM_JSON(text.decode())
        except (ValueError, RecursionError) as error:
            raise Hostile("a message that is not JSON") from error
        _checked(type(head) is dict, "a message that is not a message")
        return head, body

    def exactly(self, size: int, deadline: float | None) -> bytes:
        data = bytearray()
        while len(data) < size:
            self.wait(deadline)
            try:
                part = self.stream.recv(min(size - len(data), 2**20))
            except TimeoutError as error:
                raise Gone("it did not answer in time", timeout=True) from error
            except OSError as error:
                raise Gone("it ended") from error
            if not part:
                raise Gone("it ended")
            data += part
        return bytes(data)

    def wait(self, deadline: float | None) -> None:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise Gone("it did not answer in time", timeout=True)
        self.stream.settimeout(left)

    def close(self) -> None:
        self.stream.close()


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine gives in the end, also where a loop runs already that waits for it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


TO_JSON = json.JSONEncoder(allow_nan=False).encode
FROM_JSON = json.JSONDecoder(parse_constant=_no_constant).decode
"""Made once, because the functions of `json` make a new one for each message."""


def png(data: object, limit: int = 2 * 2**20) -> str | None:
    """A picture as base64, written anew, or None when it is none."""
    if type(data) is not str or len(data) > limit:
        return None
    try:
        raw = base64.b64decode(data, validate=False)
    except ValueError:
        return None
    return base64.b64encode(raw).decode() if raw.startswith(b"\x89PNG\r\n\x1a\n") else None
