"""Real services for lessons, each as a container or as a local process.

>>> from lab.services import Postgres
>>> with Postgres() as pg:
...     pg.url
"""

from __future__ import annotations

from importlib import import_module

from lab.console import out, say
from lab.errors import LabError
from lab.services.service import Service

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


def named(name: str) -> type[Service]:
    """The service that people and metadata call `name`, in any case: "postgres", "s3".

    Raises:
        LabError: if there is none.
    """
    known = {one.lower(): one for one in _FILES}
    if name.lower() not in known:
        raise LabError(f"no service is called {name!r}; there are {', '.join(known)}.")
    return __getattr__(known[name.lower()])


def by_hand(names: list[str]) -> None:
    """Start services, print their addresses, and keep them until Ctrl-C (`lab services`)."""
    if not names:
        say("Services: " + ", ".join(name.lower() for name in _FILES))
        return
    wanted = [named(name) for name in names]
    started: list[Service] = []
    try:
        for service in wanted:
            started.append(service().start())
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
