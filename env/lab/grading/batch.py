"""All submissions of an assignment: found, graded side by side, written by one hand."""

from __future__ import annotations

import atexit
import contextlib
import errno
import json
import os
import queue
import re
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from lab.console import err, say
from lab.errors import LabError
from lab.grading import proof, sandbox
from lab.grading.course import Assignment, Course, load
from lab.grading.gradebook import Writer, check_version, graded_in
from lab.grading.grader import Grader, Sitting, Verdict
from lab.grading.releases import put
from lab.grading.sanitize import MAX_BYTES

WRITE_EVERY = 1.0
"""Seconds between two transactions of the gradebook."""
ROOMS_SECONDS = 4.0
STUDENT = re.compile(r"[\w][\w.@=~ -]{0,120}")


# --- what was handed in -------------------------------------------------------------------------


@dataclass(frozen=True)
class Submission:
    """A student's file, if it can be read as one."""

    student: str
    path: Path

    def read(self) -> bytes:
        """The file's bytes.

        Raises:
            ValueError: it is no file that a student could have written there; the text says why.
        """
        parts = [self.path.parents[1], self.path.parents[0]]
        for part in parts:
            if part.is_symlink():
                raise ValueError(f"{part.name} is a link, not a folder")
        return read_file(self.path, MAX_BYTES)

    def moment(self) -> Any:
        """When it was handed in, as nbgrader's exchange noted it; None where it did not."""
        from nbgrader.utils import parse_utc

        try:
            text = read_file(self.path.with_name("timestamp.txt"), 200).decode().strip()
            return parse_utc(text)
        except (ValueError, OverflowError):
            return None


def read_file(path: Path, limit: int) -> bytes:
    """Read a plain file and nothing that only looks like one.

    Raises:
        ValueError: it is a link, a pipe, a device, too large, or not there.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        fd = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError("the file is a link to another") from None
        if error.errno == errno.ENOENT:
            raise ValueError(f"there is no {path.name}") from None
        raise ValueError(f"the file can't be read ({error.strerror})") from None
    try:
        told = os.fstat(fd)
        if not stat.S_ISREG(told.st_mode):
            raise ValueError("it is not a file")
        if told.st_size > limit:
            raise ValueError(f"the file is larger than {limit / 2**20:.0f} MB")
        with os.fdopen(os.dup(fd), "rb") as file:
            return file.read(limit)
    finally:
        os.close(fd)


def submissions(folder: Path, name: str) -> list[Submission]:
    """What was handed in for an assignment, by student.

    Raises:
        LabError: the folder is not there, or holds nothing for this assignment.
    """
    if not folder.is_dir():
        raise LabError(
            f"There is no folder {folder}; collect what was handed in there, "
            f"as STUDENT/{name}/{name}.ipynb."
        )
    found = [
        Submission(each.name, each / name / f"{name}.ipynb")
        for each in sorted(folder.iterdir())
        if os.path.lexists(each / name) or each.is_symlink()
    ]
    if not found:
        raise LabError(
            f"Nobody in {folder} handed in {name}: no STUDENT/{name}/{name}.ipynb there."
        )
    return found


def chosen(found: list[Submission], students: list[str]) -> list[Submission]:
    """Those of some students, or all.

    Raises:
        LabError: one of them handed in nothing.
    """
    if missing := sorted(set(students) - {each.student for each in found}):
        raise LabError(f"Nothing was handed in by {', '.join(missing)}; nobody was graded.")
    return [each for each in found if not students or each.student in students]


def refused(assignment: Assignment, why: str) -> Verdict:
    """The verdict on what can't even be read."""
    sitting = Sitting(assignment)
    sitting.malformed = why
    return sitting.verdict([], 0.0)


def judge(assignment: Assignment, data: bytes | str, grader: Grader) -> Verdict:
    """A verdict on bytes, or on why there are none."""
    return refused(assignment, data) if isinstance(data, str) else grader.grade(data)


# --- places to grade ----------------------------------------------------------------------------


class Here:
    """Graders on this machine, a thread each.

    Args:
        assignment: what is graded.
        jobs: how many at once.
        kind: of sandbox.
        first: a grader that is open already.
    """

    def __init__(self, assignment: Assignment, jobs: int, kind: str, first: Grader) -> None:
        self.assignment, self.width = assignment, jobs
        self.graders = [first, *(Grader(assignment, kind) for _ in range(jobs - 1))]
        self.free: queue.SimpleQueue[Grader] = queue.SimpleQueue()
        for grader in self.graders:
            self.free.put(grader)
        self.pool = ThreadPoolExecutor(jobs)

    def submit(self, data: bytes | str) -> Future[Verdict]:
        return self.pool.submit(self.work, data)

    def work(self, data: bytes | str) -> Verdict:
        grader = self.free.get()
        try:
            return judge(self.assignment, data, grader)
        finally:
            self.free.put(grader)

    def close(self) -> None:
        for grader in self.graders:  # ends what is running, so that no thread waits for it
            grader.close()
        self.pool.shutdown(wait=True, cancel_futures=True)


_rooms: dict[str, queue.SimpleQueue[Grader]] = {}
_rooms_lock = threading.Lock()


def judge_there(assignment: Assignment, data: bytes | str, unsafe: bool) -> Verdict:
    """What a Dask worker does with a submission; its rooms stay open for the next."""
    with _rooms_lock:
        free = _rooms.setdefault(assignment.digest, queue.SimpleQueue())
    try:
        grader = free.get_nowait()
    except queue.Empty:
        grader = Grader(assignment, sandbox.choose(unsafe))
        atexit.register(grader.close)
    try:
        return judge(assignment, data, grader)
    finally:
        free.put(grader)


class There:
    """The workers of a Dask cluster.

    Args:
        assignment: what is graded.
        address: of its scheduler.
        unsafe: let workers without a sandbox grade.
    """

    def __init__(self, assignment: Assignment, address: str, unsafe: bool) -> None:
        from distributed import Client

        try:
            self.client = Client(address, timeout=10, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise LabError(f"No Dask scheduler answers at {address} ({error}).") from None
        self.unsafe = unsafe
        self.width = max(1, sum(self.client.nthreads().values()))
        self.plan = self.client.scatter(assignment, broadcast=True)
        self.waiting: list[Any] = []

    def submit(self, data: bytes | str) -> Future[Verdict]:
        answer: Future[Verdict] = Future()
        task = self.client.submit(judge_there, self.plan, data, self.unsafe, pure=False)

        def done(task: Any) -> None:
            try:
                answer.set_result(task.result())
            except BaseException as error:
                answer.set_exception(error)

        task.add_done_callback(done)
        self.waiting.append(task)
        return answer

    def close(self) -> None:
        self.client.cancel(self.waiting)
        self.client.close()


# --- the evening --------------------------------------------------------------------------------


def grade(
    assignment: str,
    *,
    submitted: Path | None = None,
    students: list[str] | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    report: Path | None = None,
    unsafe: bool = False,
    afresh: bool = False,
    course: Course | None = None,
) -> int:
    """Grade all submissions of an assignment; none can stop the others.

    Args:
        assignment: its name.
        submitted: folder of STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb.
        students: only theirs; everybody's when None or empty.
        jobs: how many at once; as many as there are cores when None.
        scheduler: address of a Dask scheduler to grade on instead.
        report: a file for the results as JSON.
        unsafe: run students' code without a sandbox where there is none.
        afresh: grade those again that were graded and have not changed.
        course: other folders than this course's own.

    Returns:
        0 when every submission has its verdict.

    Raises:
        LabError: nothing can be graded; nothing was changed.
    """
    course = course or Course()
    plan = load(course, assignment)
    found = chosen(submissions(submitted or course.submitted, assignment), students or [])
    check_version(course.grading / "gradebook.db")
    kind = sandbox.choose(unsafe)
    if kind == "unsafe":
        err.print("lab: no sandbox: students' code runs as you.", style="bold red")
    jobs = min(jobs or os.cpu_count() or 1, len(found))
    results, todo = sort_out(found, plan, course, afresh=afresh)
    if results:
        say(f"{len(results)} of {len(found)} are graded already and have not changed.")
    if todo:
        first = Grader(plan, kind)
        place: Here | There | None = None
        try:
            seconds = prove_solution(course, plan, first)
            # Another pair of rooms takes some seconds to open; it has to save more than that.
            jobs = min(jobs, 1 + int(len(todo) * seconds / ROOMS_SECONDS))
            place = There(plan, scheduler, unsafe) if scheduler else Here(plan, jobs, kind, first)
            writer = Writer(course, plan)
            try:
                with progress(plan.name, len(todo)) as advance:
                    run(todo, place, writer, course, plan, results, advance)
            finally:
                writer.close()
        finally:
            first.close()
            if place is not None:
                place.close()
    summary = report_of(plan, results)
    if report is not None:
        put(report, (json.dumps(summary, indent=1) + "\n").encode())
    tell(plan, results)
    return 0


def sort_out(
    found: list[Submission], plan: Assignment, course: Course, *, afresh: bool
) -> tuple[dict[str, Verdict], list[tuple[Submission, bytes | str, str]]]:
    """What needs no grading, with its verdict, and what does: a hand-in, its text, its mark."""
    results: dict[str, Verdict] = {}
    todo: list[tuple[Submission, bytes | str, str]] = []
    in_book = graded_in(course.grading / "gradebook.db", plan.name)
    for submission in found:
        if not STUDENT.fullmatch(submission.student):
            why = "the folder's name is not one that a student can have"
            results[submission.student] = refused(plan, why)
            continue
        data = contents(submission)
        mark = fingerprint(plan, data)
        kept = None if afresh else recall(course, plan.name, submission.student, mark)
        if kept is not None and submission.student in in_book:
            results[submission.student] = kept
        else:
            todo.append((submission, data if isinstance(data, str) else b"", mark))
    return results, todo


def contents(submission: Submission) -> bytes | str:
    """A submission's bytes, or why it has none."""
    try:
        return submission.read()
    except ValueError as error:
        return str(error)


def prove_solution(course: Course, plan: Assignment, grader: Grader) -> float:
    """Refuse to grade by tests that the author's own answers fail; return the seconds it takes."""
    grader.rooms()
    verdict = grader.grade(proof.handed_in(course, plan.name))
    wrong = proof.problems(plan, verdict, set()) + verdict["author"]
    if wrong:
        raise LabError(
            f"The solution of {plan.name} does not pass its own tests, so nobody was graded: "
            f"{'; '.join(wrong)}"
        )
    return float(verdict["seconds"])


def run(
    todo: list[tuple[Submission, bytes | str, str]],
    place: Here | There,
    writer: Writer,
    course: Course,
    plan: Assignment,
    results: dict[str, Verdict],
    advance: Callable[[], None],
) -> None:
    """Keep the place busy, and write what is done once a second; what is written stays."""
    waiting: dict[Future[Verdict], tuple[Submission, str]] = {}
    done: list[tuple[Submission, str, Verdict]] = []
    ahead = iter(todo)
    written = time.monotonic()

    def flush() -> None:
        writer.write((s.student, verdict, s.moment()) for s, _, verdict in done)
        for submission, mark, verdict in done:
            keep(course, plan.name, submission.student, mark, verdict)
        done.clear()

    try:
        while True:
            while len(waiting) < 2 * place.width and (item := next(ahead, None)) is not None:
                submission, data, mark = item
                data = data or contents(submission)
                waiting[place.submit(data)] = (submission, mark)
            if not waiting:
                break
            ready, _ = wait(waiting, timeout=WRITE_EVERY, return_when=FIRST_COMPLETED)
            for future in ready:
                submission, mark = waiting.pop(future)
                verdict = future.result()
                results[submission.student] = verdict
                done.append((submission, mark, verdict))
                advance()
            if time.monotonic() - written > WRITE_EVERY:
                flush()
                written = time.monotonic()
    finally:
        flush()


# --- what was graded before ---------------------------------------------------------------------


def fingerprint(plan: Assignment, data: bytes | str) -> str:
    """Changes when the submission or the assignment does."""
    data = data.encode() if isinstance(data, str) else data
    return sha256(plan.digest.encode() + data).hexdigest()


def _kept_at(course: Course, name: str, student: str) -> Path:
    return course.results / name / f"{student}.json"


def recall(course: Course, name: str, student: str, mark: str) -> Verdict | None:
    """A verdict from before, if it is on the same file and the same assignment."""
    try:
        kept = json.loads(_kept_at(course, name, student).read_text(encoding="utf-8"))
        return kept["verdict"] if kept["mark"] == mark else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(course: Course, name: str, student: str, mark: str, verdict: Verdict) -> None:
    """Remember a verdict that is written, so that an interrupted run goes on after it."""
    slim = {key: value for key, value in verdict.items() if key != "notebook"}
    put(_kept_at(course, name, student), json.dumps({"mark": mark, "verdict": slim}).encode())


# --- telling ------------------------------------------------------------------------------------

SHOWN = ("status", "score", "max_score", "message", "seconds", "cells")


def report_of(plan: Assignment, results: dict[str, Verdict]) -> dict[str, Any]:
    """The report as JSON has it."""
    return {
        "assignment": plan.name,
        "students": {
            student: {key: results[student][key] for key in SHOWN} for student in sorted(results)
        },
    }


def tell(plan: Assignment, results: dict[str, Verdict]) -> None:
    """Sum up for people, and name those that a person should look at."""
    counts = Counter(verdict["status"] for verdict in results.values())
    scores = [verdict["score"] for verdict in results.values()]
    for student, verdict in sorted(results.items()):
        if verdict["status"] != "graded":
            say(
                f"{student}: {verdict['status']}, {verdict['score']:g} points: {verdict['message']}"
            )
    manual = [cell.grade_id for cell in plan.cells if cell.manual]
    say(
        f"{plan.name}: {len(results)} submissions ("
        + ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
        + f"), {sum(scores) / len(scores):.1f} of {plan.max_score:g} points on average"
        + (f", without {', '.join(manual)}, which a person grades" if manual else "")
        + "."
    )


@contextlib.contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[], None]]:
    """Show how far it is, how fast, and how long it will take."""
    if total and err.is_terminal:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = [TextColumn(name), BarColumn(), MofNCompleteColumn(),
                   TextColumn("{task.fields[rate]}"), TimeRemainingColumn()]  # fmt: skip
        with Progress(*columns, console=err) as bar:
            task = bar.add_task(name, total=total, rate="")
            began = time.monotonic()
            count = 0

            def advance() -> None:
                nonlocal count
                count += 1
                rate = count / (time.monotonic() - began)
                bar.update(task, advance=1, rate=f"{rate:.1f}/s")

            yield advance
        return
    began = told = time.monotonic()
    count = 0

    def advance_plainly() -> None:
        nonlocal count, told
        count += 1
        now = time.monotonic()
        if now - told > 10:
            told = now
            rate = count / (now - began)
            left = (total - count) / rate
            err.print(f"{name}: {count} of {total}, {rate:.1f} a second, {left:.0f} s left")

    yield advance_plainly
