"""Files that count what is read of them, for PyArrow and for DuckDB."""

from __future__ import annotations

from typing import Any

import duckdb
from fsspec.implementations.local import LocalFileSystem
from pyarrow.fs import FSSpecHandler, PyFileSystem


class _Counted:
    """An open file that notes the length of each read."""

    def __init__(self, file: Any, reads: list[int]) -> None:
        self._file, self._reads = file, reads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Counted:
        return self

    def __exit__(self, *failure: object) -> None:
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._reads.append(len(data))
        return data


class CountedFiles(LocalFileSystem):
    """The local files. `arrow` is a filesystem for PyArrow; DuckDB reads `counted://PATH`."""

    protocol = "counted"
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[int] = []
        self.arrow = PyFileSystem(FSSpecHandler(self))

    @classmethod
    def _strip_protocol(cls, path: Any) -> str:
        return LocalFileSystem._strip_protocol(str(path).removeprefix("counted://"))

    def open(self, path: str, mode: str = "rb", **options: Any) -> _Counted:
        return _Counted(open(self._strip_protocol(path), mode), self.reads)

    def taken(self) -> int:
        """Bytes read since this was asked last."""
        count = sum(self.reads)
        self.reads.clear()
        return count

    def reader(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB that reads through this, with one thread, and keeps nothing for next time."""
        db = duckdb.connect()
        db.execute("set threads = 1; set enable_progress_bar = false")
        db.execute("set enable_external_file_cache = false")
        db.register_filesystem(self)
        return db
