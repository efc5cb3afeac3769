"""Output for people at a terminal, and the same as plain lines for a log."""

from __future__ import annotations

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """Print one plain line to standard output (no markup is interpreted)."""
    out.print(message, markup=False)
