"""Notebooks as files: finding them, reading them, and what they say of themselves."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lab import paths
from lab.errors import LabError


@dataclass(frozen=True)
class Needs:
    """What a lesson says in its metadata, under `lab`.

    Attributes:
        services: names of services it starts, as in `lab services`.
        needs: what the default path lacks: any of "containers", "maven", "npm". A lesson that
        names one
            may be skipped where it can't be had.
        memory_mb: the most memory that it and its services take, in MiB.
        seconds: the longest that it should take.
    """

    services: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    memory_mb: int = 1024
    seconds: int = 60


@dataclass
class Notebook:
    """One notebook file of the course."""

    path: Path
    node: NotebookNode = field(repr=False)

    @property
    def name(self) -> str:
        """Its path below the course, with forward slashes."""
        try:
            return self.path.resolve().relative_to(paths.ROOT).as_posix()
        except ValueError:
            return self.path.resolve().as_posix().lstrip("/")

    @property
    def title(self) -> str:
        """The text of its first heading, or the file's name."""
        for cell in self.node.cells:
            if cell.cell_type == "markdown":
                for line in cell.source.splitlines():
                    if line.startswith("# "):
                        return line[2:].strip()
        return self.path.stem

    @property
    def needs(self) -> Needs:
        said = dict(self.node.metadata.get("lab", {}))
        unknown = set(said) - set(Needs.__dataclass_fields__)
        if unknown:
            raise LabError(
                f"{self.name}: its metadata has lab.{', lab.'.join(sorted(unknown))}, which means "
                f"nothing; there are {', '.join(Needs.__dataclass_fields__)}."
            )
        for key in ("services", "needs"):
            if key in said:
                said[key] = tuple(said[key])
        return Needs(**said)


def read(path: Path) -> Notebook:
    """Read a notebook.

    Raises:
        LabError: if the file is missing, is not JSON, or is not a notebook of format 4.
    """
    try:
        text = path.read_text(encoding="utf-8")
        json.loads(text)
        with warnings.catch_warnings():
            # Two cells of one id: `lab tidy` gives the second another.
            warnings.simplefilter("ignore")
            node = nbformat.reads(text, as_version=4)
            nbformat.validate(node)
    except FileNotFoundError:
        raise LabError(f"{path}: there is no such notebook.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise LabError(
            f"{path} is not a notebook: {error}; restore it with `git checkout -- {path.name}`."
        ) from None
    except (nbformat.ValidationError, AttributeError, TypeError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise LabError(
            f"{path} is not a valid notebook of format 4: {reason}; save it again from JupyterLab."
        ) from None
    return Notebook(path, node)


def find(given: Iterable[Path], default: Path = paths.NOTEBOOKS) -> list[Path]:
    """The notebooks that `given` files and folders name, all below `default` when none is given.

    Raises:
        LabError: if a path does not exist, or names no notebook.
    """
    found: list[Path] = []
    for path in list(given) or [default]:
        if path.is_dir():
            inside = sorted(
                one
                for one in path.resolve().rglob("*.ipynb")
                if not any(
                    part.startswith((".", "_build"))
                    for part in one.relative_to(path.resolve()).parts
                )
            )
            if not inside and path != default:
                raise LabError(f"{path}: there is no notebook in this folder.")
            found += inside
        elif path.suffix == ".ipynb" and path.exists():
            found.append(path.resolve())
        elif path.exists():
            raise LabError(
                f"{path} is not a notebook; give a file that ends in .ipynb, or a folder."
            )
        else:
            raise LabError(f"{path}: there is no such file or folder.")
    return list(dict.fromkeys(found))
