"""The example in each service's docstring runs as it stands."""

from __future__ import annotations

import doctest

import pytest

from lab import services


@pytest.mark.parametrize("name", [name for name in services.__all__ if name != "Service"])
def test_the_example_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_SERVICES", "processes")
    service = getattr(services, name)
    examples = doctest.DocTestParser().get_examples(service.__doc__ or "")
    assert examples, f"{name} has no example"
    scope = {name: service}
    for example in examples:
        exec(example.source, scope)
