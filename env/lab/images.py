"""Container images: what is pinned, what is here, and how to get the rest.

`env/images/images.toml` pins one official image a service. Where no image registry can be reached,
a stand-in of the same behaviour is built from `env/images/NAME` (see `lab.standins`).
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import time
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table

from lab import paths
from lab.console import err, out, say
from lab.errors import LabError, Unavailable

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image as LocalImage

STANDIN = "lab.standin"
# A pull that failed is not tried again for so long, lest every notebook waits for the same answer.
REMEMBER_SECONDS = 300


@dataclass(frozen=True)
class Image:
    """One entry of the manifest; its fields are explained at the top of `images.toml`."""

    name: str
    official: str
    memory: str
    used_by: list[str]
    stand_in: str
    digest: str = ""
    why_none: str = ""
    wheels: list[str] = field(default_factory=list)
    jars: str = ""
    npm: str = ""

    @property
    def folder(self) -> Path:
        """Where the stand-in's Dockerfile lies."""
        return paths.IMAGES / self.name

    @property
    def local(self) -> str:
        """The stand-in's reference."""
        return f"lab/{self.name}:stand-in"

    @property
    def pinned(self) -> str:
        """What to pull: by digest where it is known."""
        if self.digest.startswith("sha256:"):
            return f"{self.official.rsplit(':', 1)[0]}@{self.digest}"
        return self.official

    @property
    def stands_for(self) -> str:
        """What the stand-in is and what it stands in for, as a phrase."""
        if self.official:
            return f"stand-in for {self.official}, built here: {self.stand_in}"
        return f"built here: {self.stand_in}"


@dataclass(frozen=True)
class Chosen:
    """An image to start a container from, and what to say about it."""

    reference: str
    says: str


@cache
def manifest() -> dict[str, Image]:
    """The pinned images by name."""
    file = paths.IMAGES / "images.toml"
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        return {name: Image(name=name, **table) for name, table in tables.items()}
    except (OSError, TypeError, ValueError) as error:
        raise LabError(f"images: {file} cannot be read: {error}; restore it with git.") from error


def select(names: Iterable[str]) -> list[Image]:
    """The images of these names, all when there are none.

    Raises:
        LabError: for an unknown name, with those that look like it.
    """
    known = manifest()
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}" if near else f"there are {', '.join(known)}"
            raise LabError(f"images: none is called {name!r}; {hint}.")
    return [known[name] for name in names] or list(known.values())


# --- the engine


@cache
def engine() -> str | None:
    """Why no Docker engine can be used, or `None` if one can. Asked once a process."""
    if _nothing_there():
        return "no Docker engine is installed or running; start one, or set LAB_SERVICES=processes"
    import docker
    import requests

    try:
        client = _client()
        client.ping()
        client.info()
    except docker.errors.APIError as error:
        return f"a Docker engine answers but cannot work ({_short(error)}); see its log"
    except (docker.errors.DockerException, requests.RequestException, OSError, ValueError) as error:
        where = os.environ.get("DOCKER_HOST")
        if where:
            return f"no Docker engine answers at DOCKER_HOST={where}; start it, or unset that"
        if "permission denied" in str(error).lower():
            return "this user may not talk to the Docker engine; add it to the group docker"
        return "no Docker engine answers; start one, or set LAB_SERVICES=processes"
    return None


def _nothing_there() -> bool:
    # Most machines without Docker are told apart by two looks, sooner than its library is imported.
    if os.name == "nt" or "DOCKER_HOST" in os.environ:
        return False
    config = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "config.json"
    return not Path("/var/run/docker.sock").exists() and not config.exists()


@cache
def _client() -> DockerClient:
    import docker
    from docker.context import ContextAPI

    # The command `docker` follows its context (Docker Desktop, Colima), the libraries the variable.
    if "DOCKER_HOST" not in os.environ:
        context = ContextAPI.get_current_context()
        if context is not None and context.Name != "default" and context.Host:
            os.environ["DOCKER_HOST"] = context.Host
    return docker.from_env(timeout=3)


def patient() -> DockerClient:
    """A client for work that takes its time: pulls and builds."""
    import docker

    _require_engine()
    return docker.from_env(timeout=60)


def _require_engine() -> None:
    if reason := engine():
        raise Unavailable(f"Docker: {reason}.")


def _find(reference: str) -> LocalImage | None:
    import docker
    import requests

    try:
        return _client().images.get(reference)
    except docker.errors.ImageNotFound:
        return None
    except (docker.errors.APIError, requests.RequestException) as error:
        raise Unavailable(
            f"Docker: the engine could not look for {reference} ({_short(error)}); restart it, "
            "or set LAB_SERVICES=processes."
        ) from error


def _short(error: BaseException) -> str:
    text = str(getattr(error, "explanation", None) or error).strip() or type(error).__name__
    return text.splitlines()[0][:160].rstrip(".")


# --- what to start from


def _here(image: Image) -> tuple[Chosen, LocalImage] | None:
    # By digest too: pulled by digest alone, an image has no tag.
    for reference in dict.fromkeys([image.official, image.pinned] if image.official else []):
        if found := _find(reference):
            return Chosen(reference, f"official image {image.official}"), found
    if found := _find(image.local):
        return Chosen(image.local, image.stands_for), found
    return None


def local_id(name: str) -> str | None:
    """The id of the image that `obtain` would take if it needs no pull, else `None`."""
    found = None if engine() else _here(manifest()[name])
    return found[1].id if found else None


def obtain(name: str) -> Chosen:
    """An image for a service: the official one if it is here, the stand-in if that is, else pulled.

    Raises:
        Unavailable: if no engine can be used, or the image is not here and cannot be pulled.
    """
    image = manifest()[name]
    _require_engine()
    if found := _here(image):
        return found[0]
    if not image.official:
        raise Unavailable(
            f"image {name}: it has not been built here yet and {image.why_none}; build it with "
            f"`lab images build {name}`."
        )
    if reason := _remembered():
        raise _not_pulled(image, reason)
    _pull(image)
    return Chosen(image.official, f"official image {image.official}")


# --- pulling


def pull(names: list[str]) -> None:
    """Fetch official images (`lab images pull`); those that are here are left alone."""
    images = select(names)
    _require_engine()
    for image in images:
        if not image.official:
            say(f"{image.name}: {image.why_none}; `lab images build {image.name}` makes it")
        elif _find(image.official):
            say(f"{image.name}: {image.official} is here")
        else:
            _pull(image)


def _pull(image: Image) -> None:
    import docker
    import requests

    started = time.monotonic()
    say(f"{image.name}: pulling {image.official}")
    try:
        _follow(patient().api.pull(image.pinned, stream=True, decode=True), image.official)
        patient().images.get(image.pinned).tag(*image.official.split(":"))
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        reason = _why_not_pulled(str(error))
        if "registry" in reason:
            _remember(reason)
        raise _not_pulled(image, reason) from error
    _memory().unlink(missing_ok=True)
    say(f"{image.name}: pulled in {time.monotonic() - started:.0f} s")


def _follow(events: Iterable[dict], title: str) -> None:
    """Show a pull's layers as one bar."""
    import docker

    layers: dict[str, tuple[int, int]] = {}
    columns = [TextColumn("{task.description}"), BarColumn(), DownloadColumn()]
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        for event in events:
            if "error" in event:
                raise docker.errors.DockerException(event["error"])
            detail = event.get("progressDetail") or {}
            if event.get("status") == "Downloading" and detail.get("total"):
                layers[event["id"]] = detail["current"], detail["total"]
                done, total = (sum(values) for values in zip(*layers.values(), strict=True))
                progress.update(task, completed=done, total=total)


def _why_not_pulled(text: str) -> str:
    """A registry's or engine's answer in plain words, without the names of hosts."""
    text = text.lower()
    known = {
        "toomanyrequests|rate limit": "the image registry has had too many requests from here",
        "manifest (unknown|for)": "there is no such tag any more",
        "denied|unauthorized|does not exist": "it is not known where images are published",
        "no space left": "no space is left on the disk of the Docker engine",
        "x509|certificate": "the certificate of the image registry is not trusted here",
        "lookup|dial|time.?out|timed out|refused|unreachable|eof|reset": (
            "no image registry can be reached"
        ),
    }
    for signs, words in known.items():
        if re.search(signs, text):
            return words
    return "the engine refused: " + text.split(": ")[-1].strip()[:120]


def _not_pulled(image: Image, reason: str) -> Unavailable:
    return Unavailable(
        f"image {image.name}: {image.official} is not here and cannot be pulled, {reason}; "
        f"`lab images build {image.name}` builds a stand-in."
    )


def _memory() -> Path:
    at = hashlib.sha256(os.environ.get("DOCKER_HOST", "").encode()).hexdigest()[:8]
    return paths.cache() / f"no-registry-{at}"


def _remember(reason: str) -> None:
    _memory().parent.mkdir(parents=True, exist_ok=True)
    _memory().write_text(reason, encoding="utf-8")


def _remembered() -> str:
    try:
        fresh = time.time() - _memory().stat().st_mtime < REMEMBER_SECONDS
        return _memory().read_text(encoding="utf-8") if fresh else ""
    except FileNotFoundError:
        return ""


# --- building and showing


def build(names: list[str]) -> None:
    """Build stand-ins (`lab images build`); those whose ingredients did not change are left alone.

    Without names: where the official image is here, no stand-in is built.
    """
    from lab import standins

    images = select(names)
    _require_engine()
    if not names:
        there = [image for image in images if image.official and _find(image.official)]
        for image in there:
            say(f"{image.name}: {image.official} is here, it needs no stand-in")
        images = [image for image in images if image not in there]
    standins.build(images)


def show() -> None:
    """Print which images are here, which of them are stand-ins, and what uses them."""
    from lab import standins

    reason = engine()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("image", "here", "size", "memory", "used by", "official", "stand-in"):
        table.add_column(column, justify="right" if column in ("size", "memory") else "left")
    for image in manifest().values():
        found = None if reason else _here(image)
        here, size = "no", ""
        if found:
            here = "official"
            size = f"{found[1].attrs['Size'] / 1e6:.0f} MB"
            if found[0].reference == image.local:
                here = "stand-in" if standins.fresh(image, found[1]) else "stand-in, outdated"
        table.add_row(
            image.name,
            "?" if reason else here,
            size,
            image.memory,
            ", ".join(image.used_by),
            image.official or f"none: {image.why_none}",
            image.stand_in,
        )
    out.print(table)
    if reason:
        say(f"What is here cannot be said: {reason}.")
