"""The commands of the course; each is a thin door to the room that does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.console import err
from lab.errors import LabError

app = typer.Typer(
    name="lab",
    help="Run the course: its services, lessons, book and grading.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)
images_app = typer.Typer(
    no_args_is_help=True, help="The container images that services start from."
)
app.add_typer(images_app, name="images")

Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="How many at once. [default: cores]")
]
Unsafe = Annotated[
    bool, typer.Option("--unsafe", help="Without a sandbox, run students' code as you.")
]
Assignments = Annotated[
    list[str] | None, typer.Argument(help="Names of assignments; all when none is named.")
]
ImageNames = Annotated[
    list[str] | None, typer.Argument(help="Names from `lab images list`; all when none is named.")
]
Paths = Annotated[
    list[Path] | None, typer.Argument(help="Notebooks or folders; all when none is named.")
]


@app.command()
def doctor() -> None:
    """Say what is here, what is missing, and what that costs you."""
    from lab.doctor import doctor

    raise typer.Exit(doctor())


@images_app.command("list")
def images_list() -> None:
    """List the pinned images: which are here, which are stand-ins, what uses them."""
    from lab import images

    images.show()


@images_app.command("pull")
def images_pull(names: ImageNames = None) -> None:
    """Fetch the official images ahead of time."""
    from lab import images

    images.pull(names or [])


@images_app.command("build")
def images_build(names: ImageNames = None) -> None:
    """Build local stand-ins, for machines that no image registry can be reached from."""
    from lab import images

    images.build(names or [])


@app.command()
def services(
    names: Annotated[
        list[str] | None, typer.Argument(help="Services to start; without any, list them.")
    ] = None,
) -> None:
    """Start services by hand, print their addresses, and stop them on Ctrl-C."""
    from lab.services import by_hand

    by_hand(names or [])


@app.command("open")
def open_(
    browser: Annotated[bool, typer.Option(help="Open a browser too.")] = True,
) -> None:
    """Open the course in JupyterLab, on loopback, without news and update checks."""
    from lab.jupyter import open_course

    raise typer.Exit(open_course(browser=browser))


@app.command()
def run(
    paths: Paths = None,
    jobs: Jobs = None,
    changed: Annotated[
        bool, typer.Option(help="Only what changed since its last good run.")
    ] = False,
    twice: Annotated[
        bool, typer.Option(help="Run each a second time and compare the answers.")
    ] = False,
    timeout: Annotated[
        int | None,
        typer.Option(min=1, help="Seconds a notebook may take. [default: its own budget]"),
    ] = None,
    strict: Annotated[bool, typer.Option(help="A skipped notebook is a failure too.")] = False,
) -> None:
    """Execute notebooks on real services, and report."""
    from lab.run import run

    code = run(paths or [], jobs=jobs, changed=changed, twice=twice, timeout=timeout, strict=strict)
    raise typer.Exit(code)


@app.command()
def tidy(
    paths: Paths = None,
    check: Annotated[
        bool, typer.Option(help="Change nothing; fail where something would.")
    ] = False,
) -> None:
    """Bring notebooks into the form they are committed in."""
    from lab.tidy import tidy

    raise typer.Exit(tidy(paths or [], check=check))


@app.command()
def book() -> None:
    """Build the HTML book from the executed notebooks."""
    from lab.book import build

    build()


@app.command()
def release(
    assignments: Assignments = None,
    check: Annotated[bool, typer.Option(help="Compare byte by byte, write nothing.")] = False,
) -> None:
    """Make the students' exercises from the solutions."""
    from lab.grading import release

    raise typer.Exit(release(assignments or [], check=check))


@app.command()
def grade(
    assignment: Annotated[str, typer.Argument(help="The assignment, for example 1-warehousing.")],
    submitted: Annotated[
        Path | None,
        typer.Option(
            help="Folder of STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb. [default: grading/submitted]"
        ),
    ] = None,
    student: Annotated[
        list[str] | None, typer.Option(help="Grade only this one's hand-in; may be given again.")
    ] = None,
    jobs: Jobs = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler to grade on.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the results as JSON to this file.")
    ] = None,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Grade again what was graded and has not changed.")
    ] = False,
    unsafe: Unsafe = False,
) -> None:
    """Grade all submissions of an assignment; none can stop the batch."""
    from lab.grading import grade

    raise typer.Exit(
        grade(
            assignment,
            submitted=submitted,
            students=student,
            jobs=jobs,
            scheduler=scheduler,
            report=report,
            afresh=afresh,
            unsafe=unsafe,
        )
    )


@app.command()
def mutants(assignments: Assignments = None, jobs: Jobs = None, unsafe: Unsafe = False) -> None:
    """Prove the tests: solution full, release nothing, each mutant loses just its points."""
    from lab.grading import mutants

    raise typer.Exit(mutants(assignments or [], jobs=jobs, unsafe=unsafe))


def main() -> None:
    """Entry point: a `LabError` is a sentence and exit code 1, Ctrl-C is 130."""
    try:
        app()
    except LabError as error:
        err.print(f"lab: {error}", style="red", markup=False)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        err.print("lab: stopped.", markup=False)
        raise SystemExit(130) from None
