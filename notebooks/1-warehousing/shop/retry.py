"""Run a transaction again when the database says that it lost a race."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure

Answer = TypeVar("Answer")


def transact(
    connection: psycopg.Connection, work: Callable[[psycopg.Connection], Answer], attempts: int = 5
) -> Answer:
    """Do `work` in one transaction, from its first read on again each time it loses a race.

    Args:
        connection: in autocommit mode, with the isolation level that `work` needs.
        work: reads and writes on that connection, and nothing that a rollback can't undo.
        attempts: after so many the last error is raised: then the row is too hot for this.
    """
    for attempt in range(1, attempts + 1):
        try:
            with connection.transaction():
                return work(connection)
        except (SerializationFailure, DeadlockDetected):
            if attempt == attempts:
                raise
        # A random pause, twice as long each time, so that the losers don't collide again.
        time.sleep(random.uniform(0, 0.005 * 2**attempt))
    raise ValueError(f"attempts={attempts}: at least one is needed")
