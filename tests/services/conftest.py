"""Each conformance test of this folder runs against both ways to have its service.

A module names its service once, `SERVICE = Postgres`, and asks for

- `server`: one server, shared by the tests of the module, or
- `start`: a function that starts servers of the test's own, which end with the test, and
- `way`: "process" or "container", to say what is known to differ.

The container way is skipped, with the reason, where no engine or image is to be had. With
`LAB_SERVICES=containers` that is a failure instead, so that a machine meant to have them can't pass
without; with `LAB_SERVICES=processes` it is not tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lab import images
from lab.errors import LabError
from lab.services import Service
from lab.services.service import mode


@pytest.fixture(scope="module", params=["process", "container"])
def way(request: pytest.FixtureRequest) -> str:
    """How the service is had."""
    if request.param == "container":
        wanted = mode()
        if wanted == "processes":
            pytest.skip("LAB_SERVICES=processes")
        try:
            images.obtain(request.module.SERVICE.image)
        except LabError as reason:
            if wanted == "containers":
                raise
            pytest.skip(f"no container: {reason}")
    return request.param


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, way: str) -> Iterator[Service]:
    """One server for all tests of the module; a test takes names of its own in it."""
    with request.module.SERVICE(way=way) as service:
        yield service


@pytest.fixture
def start(request: pytest.FixtureRequest, way: str) -> Iterator[Callable[..., Service]]:
    """Start a server that is the test's alone; arguments go to the service."""
    started: list[Service] = []

    def one(**options: object) -> Service:
        started.append(request.module.SERVICE(way=way, **options).start())
        return started[-1]

    yield one
    for service in reversed(started):
        service.stop()
