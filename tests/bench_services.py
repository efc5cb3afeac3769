"""How long each service takes to start, both ways, beside the same server started by hand.

    python tests/bench_services.py [SERVICE...]

"By hand" is the same command, or `docker run` of the same image, started without `lab` and asked
the same first question every 10 ms. Median of three rounds, the two in turn. Not a test: it judges
nothing.
"""

from __future__ import annotations

import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.table import Table

from lab import images, services
from lab.console import err, out
from lab.errors import LabError
from lab.services.service import Service, _kill_tree
from lab.services.session import Session

ROUNDS = 3


def with_lab(make: Callable[..., Service], way: str) -> float:
    with make(way=way) as service:
        return service.start_seconds


def by_hand(make: Callable[..., Service], way: str) -> float:
    service = make(way=way)
    service.way = way
    with folder_and_ports(service):
        return (hand_process if way == "process" else hand_container)(service)


@contextmanager
def folder_and_ports(service: Service) -> Iterator[None]:
    session = Session.current()
    service.folder = Path(tempfile.mkdtemp(prefix="lab-bench-"))
    service.folder.chmod(0o755)
    inner = service.inner_ports if service.way == "process" else ()
    service.port = {name: session.take_port() for name in [*service.ports, *inner]}
    try:
        yield
    finally:
        for port in service.port.values():
            session.give_port(port)
        shutil.rmtree(service.folder, ignore_errors=True)


def hand_process(service: Service) -> float:
    process = service.process()
    service._process = process
    service._own_folder()
    options = service._options()
    begin = time.monotonic()
    for command, text in process.prepare:
        subprocess.run(command, input=text, text=True, check=True, capture_output=True, **options)
    popen = subprocess.Popen(
        process.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    )
    try:
        return answered(service, begin)
    finally:
        _kill_tree(popen)
        for file in process.litter:
            file.unlink(missing_ok=True)


def hand_container(service: Service) -> float:
    image = images.obtain(service.image).reference
    container = service.container(image)
    command = container._command or []
    command = shlex.split(command) if isinstance(command, str) else command
    if service.image == "redpanda":
        addresses = f"PLAINTEXT://127.0.0.1:29092,OUTSIDE://{service.bootstrap}"
        listen = "PLAINTEXT://0.0.0.0:29092,OUTSIDE://0.0.0.0:9092"
        rpk = "rpk redpanda start --mode dev-container --smp 1 --memory 1G"
        command = ["-c", f"{rpk} --kafka-addr {listen} --advertise-kafka-addr {addresses}"]
    # What a module of testcontainers adds to the environment just before the start.
    container._configure()
    run = ["docker", "run", "-d", "--memory", images.manifest()[service.image].memory]
    for name, inside in service.ports.items():
        run += ["-p", f"127.0.0.1:{service.port[name]}:{inside}"]
    for name, value in container.env.items():
        run += ["-e", f"{name}={value}"]
    for host, mount in container.volumes.items():
        run += ["-v", f"{host}:{mount['bind']}:{mount['mode']}"]
    for option in ("user", "entrypoint"):
        if value := container._kwargs.get(option):
            run += [f"--{option}", str(value)]
    begin = time.monotonic()
    started = subprocess.run([*run, image, *command], check=True, capture_output=True, text=True)
    try:
        return answered(service, begin)
    finally:
        remove = ["docker", "rm", "-f", "-v", started.stdout.strip()]
        subprocess.run(remove, check=True, capture_output=True)


def answered(service: Service, begin: float) -> float:
    while True:
        try:
            service.check()
            return time.monotonic() - begin
        except Exception as error:
            if time.monotonic() - begin > 90:
                raise LabError(f"{service.title}: no answer by hand: {error}") from error
            time.sleep(0.01)


def main(names: list[str]) -> None:
    table = Table("service", "way", "lab (s)", "by hand (s)", "ratio", title=f"median of {ROUNDS}")
    for name in names or [name for name in services.__all__ if name != "Service"]:
        make = getattr(services, name)
        for way in ("process", "container"):
            try:
                make(way=way).start().stop()  # warm: caches filled, files read
                pairs = [(with_lab(make, way), by_hand(make, way)) for _ in range(ROUNDS)]
            except LabError as reason:
                err.print(f"{name} as {way}: {reason}", markup=False)
                table.add_row(name, way, "–", "–", "–")
                continue
            lab, hand = (statistics.median(column) for column in zip(*pairs, strict=True))
            table.add_row(name, way, f"{lab:.2f}", f"{hand:.2f}", f"{lab / hand:.2f}")
    out.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    out.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
