"""Stand-ins: images built on this machine, for where no image registry can be reached.

The ingredients are the course's own: wheels at the versions of the environment's lock and checked
against its hashes, locked jars, locked npm packages, and a Debian base. They are fetched out here,
so a build needs no network. What an image was built from is one hash in its label, so a second
build does nothing until an ingredient changes.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lab import paths
from lab.console import err, say
from lab.errors import LabError
from lab.images import STANDIN, Image, patient

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image as LocalImage

CONTENT = "lab.content"
SUITE = "bookworm"
# Debian's Python, and the same one in the image that serves where no Debian base can be made.
PYTHON = "3.11"
PULLED_BASE = f"python:{PYTHON}-slim-{SUITE}"
BASE = f"lab/base:{SUITE}"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = ["libstdc++6", "python3"]
LEFT_OUT = ["doc/*", "man/*", "locale/*", "info/*", "lintian/*"]
BASE_COMMAND = [
    "mmdebstrap",
    "--variant=minbase",
    f"--include={','.join(PACKAGES)}",
    *(f"--dpkgopt=path-exclude=/usr/share/{pattern}" for pattern in LEFT_OUT),
    SUITE,
    "-",
]
LOCK = paths.ENV / "requirements.lock"
PLATFORMS = {"amd64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}


def build(images: list[Image]) -> None:
    """Build the stand-ins of these images, on a base that is made first if it is not there.

    Two processes may ask at once: one builds, the other waits and finds them built.
    """
    busy = paths.cache() / "images.busy"
    busy.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(busy):
        _build_all(patient(), images)


def _build_all(client: DockerClient, images: list[Image]) -> None:
    wanted = [image for image in images if not fresh(image, _get(client, image.local))]
    for image in images:
        if image not in wanted:
            say(f"{image.name}: up to date")
    if not wanted:
        return
    base = _base(client)
    for image in wanted:
        started = time.monotonic()
        with err.status(f"{image.name}: building"):
            built = _build(client, image, base)
        say(
            f"{image.name}: {image.stands_for} ({built.attrs['Size'] / 1e6:.0f} MB, "
            f"{time.monotonic() - started:.1f} s)"
        )


def fresh(image: Image, found: LocalImage | None) -> bool:
    """Whether a stand-in was built from what would go into it now."""
    return found is not None and found.labels.get(CONTENT) == content(image)


def content(image: Image) -> str:
    """A hash of all that goes into a stand-in."""
    digest = hashlib.sha256(" ".join([*BASE_COMMAND, PULLED_BASE]).encode())
    for file in sorted(image.folder.rglob("*")):
        if file.is_file():
            digest.update(file.relative_to(image.folder).as_posix().encode() + b"\n")
            digest.update(file.read_bytes())
    digest.update("\n".join(_pins(image.wheels)).encode())
    for lock in _locks(image):
        digest.update(lock.read_bytes())
    return digest.hexdigest()[:16]


def _locks(image: Image) -> list[Path]:
    locks = [paths.TOOLS / f"{image.jars}.lock"] if image.jars else []
    return locks + ([paths.TOOLS / image.npm / "package-lock.json"] if image.npm else [])


def _pins(wheels: Iterable[str]) -> list[str]:
    """`name==version` of these wheels and all that they need, as locked for the image's Python."""
    locked = _locked()
    pins: dict[str, str] = {}
    seen: set[str] = set()
    waiting = [Requirement(wheel) for wheel in wheels]
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        name = canonicalize_name(requirement.name)
        version, requires = _installed(name)
        if name not in locked and not version:
            raise LabError(
                f"images: the package {name} is not in this environment; `make env` puts it there."
            )
        pins[name] = locked.get(name, version)
        for line in requires:
            need = Requirement(line)
            extras = ["", *requirement.extras]
            if any(_applies(need, extra) for extra in extras):
                need.marker = None
                waiting.append(need)
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


def _installed(name: str) -> tuple[str, list[str]]:
    """A package's version and needs; nothing for one that only the image's Python asks for."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return "", []
    return found.version, found.requires or []


def _locked() -> dict[str, str]:
    """The lock's versions; where it has several of a package, that of the image's Python."""
    text = LOCK.read_text(encoding="utf-8") if LOCK.exists() else ""
    needs = [Requirement(line.rstrip(" \\")) for line in text.splitlines() if line[:1].isalnum()]
    return {
        canonicalize_name(need.name): str(need.specifier).removeprefix("==")
        for need in needs
        if _applies(need)
    }


def _applies(need: Requirement, extra: str = "") -> bool:
    inside = {
        "extra": extra,
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "python_version": PYTHON,
        "python_full_version": f"{PYTHON}.2",
    }
    return need.marker is None or need.marker.evaluate(inside)


def _get(client: DockerClient, reference: str) -> LocalImage | None:
    from docker.errors import ImageNotFound

    try:
        return client.images.get(reference)
    except ImageNotFound:
        return None


# --- the base


def _base(client: DockerClient) -> str:
    """A Debian with Python: the pulled one if it is here, else made by mmdebstrap, else pulled."""
    import docker
    import requests

    recipe = hashlib.sha256(" ".join(BASE_COMMAND).encode()).hexdigest()[:16]
    if _get(client, PULLED_BASE):
        return PULLED_BASE
    made = _get(client, BASE)
    if made is not None and made.labels.get(CONTENT) == recipe:
        return BASE
    if shutil.which("mmdebstrap"):
        _make_base(client, recipe)
        return BASE
    try:
        with err.status(f"pulling {PULLED_BASE}"):
            client.images.pull(PULLED_BASE)
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise LabError(
            f"images: a stand-in needs a Debian to stand on, {PULLED_BASE} cannot be pulled and "
            "mmdebstrap is not installed; on Debian or Ubuntu: apt-get install mmdebstrap."
        ) from error
    return PULLED_BASE


def _make_base(client: DockerClient, recipe: str) -> None:
    started = time.monotonic()
    fetching = err.status("base: fetching Debian packages")
    with tempfile.TemporaryDirectory(prefix="lab-base-") as scratch, fetching:
        archive = Path(scratch) / "base.tar"
        with archive.open("wb") as tar:
            done = subprocess.run(
                BASE_COMMAND, stdout=tar, stderr=subprocess.PIPE, text=True, check=False
            )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise LabError(f"images: mmdebstrap could not make the Debian base: {last}")
        name, tag = BASE.split(":")
        changes = [f"LABEL {STANDIN}=true {CONTENT}={recipe}", f"ENV LANG=C.UTF-8 PATH={PATH}"]
        client.api.import_image_from_file(str(archive), name, tag, changes=changes)
    size = client.images.get(BASE).attrs["Size"] / 1e6
    seconds = time.monotonic() - started
    say(f"base: Debian {SUITE} from its packages ({size:.0f} MB, {seconds:.1f} s)")


# --- one image


def _build(client: DockerClient, image: Image, base: str) -> LocalImage:
    from docker.errors import DockerException

    before = _get(client, image.local)
    with tempfile.TemporaryDirectory(prefix=f"lab-{image.name}-") as scratch:
        context = Path(scratch) / "context"
        shutil.copytree(image.folder, context)
        _fetch(image, context, client.version()["Arch"])
        log: list[str] = []
        try:
            for event in client.api.build(
                path=str(context),
                tag=image.local,
                buildargs={"BASE": base},
                labels={STANDIN: "true", CONTENT: content(image)},
                network_mode="none",
                rm=True,
                forcerm=True,
                decode=True,
            ):
                log.append(event.get("stream", ""))
                if "error" in event:
                    raise DockerException(event["error"])
        except (DockerException, OSError) as error:
            tail = "\n  ".join("".join(log).strip().splitlines()[-8:])
            raise LabError(
                f"images: building {image.name} failed: {error}\nIts log ends:\n  {tail}"
            ) from error
    built = client.images.get(image.local)
    if before is not None and before.id != built.id:
        _discard(client, before)
    return built


def _discard(client: DockerClient, image: LocalImage) -> None:
    from docker.errors import APIError

    try:
        client.images.remove(image.id)
    except APIError as error:
        # A container still runs from it; the engine keeps it until somebody prunes.
        if error.status_code not in (404, 409):
            raise


def _fetch(image: Image, context: Path, machine: str) -> None:
    if image.wheels:
        _fetch_wheels(image, context / "site", machine)
    if image.jars:
        from lab import jars

        shutil.copytree(jars.fetch(image.jars), context / "jars")
    if image.npm:
        from lab.services.azure_blob import _azurite

        # Two files in three are never run: source maps, types, and the same code for browsers.
        dead = shutil.ignore_patterns(
            "*.map", "*.ts", "*.md", "esm", "esnext", "browser", "react-native", "compiled"
        )
        shutil.copytree(_azurite(), context / "npm", symlinks=True, ignore=dead)


def _fetch_wheels(image: Image, target: Path, machine: str) -> None:
    if machine not in PLATFORMS:
        raise LabError(f"images: there are no wheels for the engine's processor {machine}.")
    command = [_uv(), "pip", "install", "--quiet", "--no-config", "--target", str(target)]
    command += ["--no-deps", "--only-binary", ":all:"]
    command += ["--python-version", PYTHON, "--python-platform", PLATFORMS[machine]]
    # It brings the hashes; uv checks what it brings.
    if LOCK.exists():
        command += ["--constraint", str(LOCK)]
    command += _pins(image.wheels)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(
            f"images: the wheels of {image.name} could not be fetched: {done.stderr.strip()[-400:]}"
        )


def _uv() -> str:
    beside = Path(sys.executable).parent
    found = shutil.which("uv", path=str(beside)) or shutil.which("uv")
    if not found:
        raise LabError("images: uv is not in this environment; `make env` puts it there.")
    return found
