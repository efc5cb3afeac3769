"""The one error that people are meant to read."""

from __future__ import annotations


class LabError(Exception):
    """Says in one sentence what went wrong, where, and what to do about it.

    The command line prints it without a traceback and exits with 1.
    """


class Unavailable(LabError):
    """What a lesson needs can't be had on this machine (a container engine, jars, npm).

    A lesson whose metadata says that it needs such a thing is skipped for this reason; any other
    fails.
    """
