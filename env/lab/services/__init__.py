"""Real services for lessons, each as a container or as a local process.

>>> from lab.services import Postgres
>>> with Postgres() as pg:
...     pg.url
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from lab.console import out, say
from lab.errors import LabError
from lab.services.service import Service

if TYPE_CHECKING:
    from lab.services.postgres import Postgres

# One line a service: the class, and the file that holds it. Imported when asked for.
_FILES = {
    "Postgres": "postgres",
    "Redis": "redis",
    "Redpanda": "redpanda",
    "S3": "s3",
    "GCS": "gcs",
    "AzureBlob": "azure_blob",
    "DynamoDB": "dynamodb",
    "BigQuery": "bigquery",
    "Snowflake": "snowflake",
}

__all__ = [*_FILES, "Service"]


def __getattr__(name: str) -> type[Service]:
    if name not in _FILES:
        raise AttributeError(f"module 'lab.services' has no attribute {name!r}")
    return getattr(import_module(f"lab.services.{_FILES[name]}"), name)


def by_hand(names: list[str]) -> None:
    """Start services, print their addresses, and keep them until Ctrl-C (`lab services`)."""
    known = {name.lower(): name for name in _FILES}
    if not names:
        say("Services: " + ", ".join(known))
        return
    for name in names:
        if name.lower() not in known:
            raise LabError(f"no service is called {name!r}; there are {', '.join(known)}.")
    started: list[Service] = []
    try:
        for name in names:
            started.append(__getattr__(known[name.lower()])().start())
            for label, value in started[-1].addresses().items():
                out.print(f"  {label:<12} {value}", markup=False)
        say("Ctrl-C stops them.")
        _forever()
    finally:
        for service in reversed(started):
            service.stop()


def _forever() -> None:
    import threading

    threading.Event().wait()
