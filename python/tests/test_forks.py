"""The fork server, as a real process that is asked for forks as a launcher asks for them."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Callable, Iterator, List

import pytest

from tests.forking import OwnServer
from tests.project import LIMIT, SDK, Project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks need Linux")

STEPS = """
import os, random, subprocess, sys, time
from pathlib import Path
from proa import step, step_context

print("importing", flush=True)
print("a warning", file=sys.stderr)
with open("imports", "a") as file:
    file.write(f"{__name__} {os.getpid()} {os.path.basename(sys.argv[0])} {len(sys.argv)}\\n")
os.environ["SET_BY_IMPORT"] = "yes"
state = []

@step
def pids() -> None:
    state.append(1)
    os.environ["LEAK"] = "x"
    os.chdir("/")
    Path(step_context().temp, "left").write_text("x")
    print(os.getpid(), os.getppid(), os.getpgid(0), len(state), flush=True)

@step
def look() -> None:
    temp = step_context().temp
    print(len(state), os.environ.get("LEAK"), os.environ["SET_BY_IMPORT"], os.environ["OWN"], os.getcwd(),
          os.environ["TMPDIR"] == str(temp), os.listdir(temp), sorted(n for n in os.environ if n.startswith("PROA_")))

@step
def chance() -> None:
    print("random", random.random())

@step
def leaves() -> None:
    sys.exit(7)

@step
def killed() -> None:
    os.kill(os.getpid(), 9)

@step
def waits() -> None:
    try:
        print("ready", flush=True)
        time.sleep(1000)
    finally:
        print("cleaned up", flush=True)

@step
def leaves_others() -> None:
    pids = step_context().temp / "pids"
    pids.touch()
    for prefix in [], ["setsid"]:
        subprocess.Popen([*prefix, "sh", "-c", "echo $$ | tee -a $0; exec sleep 1000", str(pids)])
    while len(pids.read_text().split()) < 2:
        time.sleep(0.01)

@step
def uses() -> None:
    block = bytearray(64 << 20)
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
"""


@pytest.fixture
def serve(project: Project, tmp_path: Path) -> Iterator[Callable[..., OwnServer]]:
    servers: List[OwnServer] = []

    def start(steps: str = STEPS, **environment: str) -> OwnServer:
        project.write(run=steps)
        servers.append(OwnServer(project, tmp_path / f"home-{len(servers)}", **environment))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


Serve = Callable[..., OwnServer]


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_the_module_is_imported_once_and_nothing_leaks(serve: Serve, project: Project) -> None:
    server = serve()
    first = server.fork("run:pids")
    ended = first.end()
    assert ended["status"] == 0 and ended["wall"] > 0
    lines = first.text.decode().splitlines()
    assert lines[:2] == ["importing", "a warning"], "each step's log begins with what the import printed"
    pid, keeper, group, count = map(int, lines[2].split())
    assert (pid, group, count) == (ended["pid"], pid, 1) and keeper != server.process.pid
    second = server.fork("run:look", OWN="mine")
    assert second.end()["status"] == 0
    assert second.text.decode().splitlines()[2] == f"0 None yes mine {project.root} True [] []"
    assert json.loads((second.work / "result.json").read_bytes()).keys() == {"apiVersion", "times"}
    assert (project.root / "imports").read_text() == f"run {server.process.pid} __main__.py 1\n"


REMEMBERS = """
import time
from pathlib import Path
from proa import step

HOME = Path.home()
Path(HOME, "made").mkdir()
Path(HOME, "made", "by the import").touch()

@step
def leaves() -> None:
    print("sees", sorted(str(path.relative_to(HOME)) for path in HOME.rglob("*")))
    Path(HOME, "made", "left").touch()
    Path(HOME, "closed", "deep").mkdir(parents=True)
    Path(HOME, "closed").chmod(0)
    Path(HOME, "link").symlink_to("/")

@step
def waits() -> None:
    Path(HOME, "mine").touch()
    print("ready", flush=True)
    time.sleep(1000)
"""


def test_folders_that_the_import_has_remembered_are_tidied(serve: Serve, tmp_path: Path) -> None:
    home = tmp_path / "home of the server"
    home.mkdir()
    server = serve(REMEMBERS, HOME=str(home))
    for _ in range(3):
        fork = server.fork("run:leaves", HOME="elsewhere")
        assert fork.end()["status"] == 0
        assert fork.text == b"sees ['made', 'made/by the import']\n"
    running = server.fork("run:waits", HOME="elsewhere")
    running.read(lambda text: b"ready" in text)
    server.fork("run:leaves", HOME="elsewhere").end()
    assert (home / "mine").exists(), "what a step uses that still runs stays"
    running.connection.close()


def test_folders_of_others_are_left_alone(serve: Serve, tmp_path: Path) -> None:
    home = tmp_path / "home of the user"
    home.mkdir()
    server = serve(REMEMBERS, HOME=str(home))
    server.fork("run:leaves").end()
    server.fork("run:leaves").end()
    assert (home / "made" / "left").exists(), "a home that steps don't have of their own is somebody's"


def test_ends_are_told_as_they_were(serve: Serve) -> None:
    server = serve()
    status = server.fork("run:leaves").end()["status"]
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 7
    status = server.fork("run:killed").end()["status"]
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def test_a_copy_of_the_package_beside_the_steps(serve: Serve, project: Project) -> None:
    shutil.copytree(SDK / "proa", project.root / "proa")
    fork = serve().fork("run:pids")
    assert fork.end()["status"] == 0, fork.text.decode()
    assert b"Traceback" not in fork.text


def test_usage(serve: Serve) -> None:
    ended = serve().fork("run:uses").end()
    assert ended["cpu"] >= 0.2 and ended["wall"] >= 0.2 and ended["rss"] > 64 << 20


def test_signals_reach_the_step(serve: Serve) -> None:
    fork = serve().fork("run:waits")
    fork.read(lambda text: b"ready" in text)
    fork.connection.send(bytes([signal.SIGTERM]))
    assert os.WTERMSIG(fork.end()["status"]) == signal.SIGTERM
    assert fork.text.endswith(b"cleaned up\n")


def test_a_step_dies_with_its_launcher_and_with_its_keeper(serve: Serve) -> None:
    server = serve()
    fork = server.fork("run:waits")
    pid = fork.line()["pid"]
    fork._lines.close()
    fork.connection.close()
    assert gone(pid)
    fork = server.fork("run:waits")
    pid = fork.line()["pid"]
    fork.read(lambda text: b"ready" in text)
    os.kill(int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]), signal.SIGKILL)
    assert fork.line() == {} and gone(pid)


def test_nothing_is_left_behind(serve: Serve) -> None:
    fork = serve().fork("run:leaves_others")
    assert fork.end()["status"] == 0
    others = [int(line) for line in fork.text.decode().splitlines()[2:]]
    assert len(others) == 2 and all(gone(pid) for pid in others)


def test_steps_run_at_the_same_time_and_outlive_the_server(serve: Serve) -> None:
    server = serve()
    forks = [server.fork("run:waits") for _ in range(3)]
    for fork in forks:
        fork.read(lambda text: b"ready" in text)
    server.control.close()
    assert server.process.wait(LIMIT) == 0
    for fork in forks:
        fork.connection.send(bytes([signal.SIGTERM]))
        assert os.WTERMSIG(fork.end()["status"]) == signal.SIGTERM


def test_random_numbers_differ_unless_the_module_fixes_them(serve: Serve) -> None:
    for prelude, want in (("", 3), ("import random; random.random()\n", 3), ("import random; random.seed(5)\n", 1)):
        server = serve(prelude + STEPS)
        drawn = set()
        for _ in range(3):
            fork = server.fork("run:chance")
            fork.end()
            drawn.add(fork.text)
        assert len(drawn) == want, prelude


@pytest.mark.parametrize(
    ("prelude", "why"),
    [
        ("import threading, time; threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n", "threads"),
        ("import subprocess; child = subprocess.Popen(['sleep', '1000'])\n", "processes"),
        ("import tempfile; folder = tempfile.mkdtemp()\n", "temporary files"),
        ("raise ValueError('no luck')\n", "failed: no luck"),
        ("print('x' * (2 << 20))\n", "prints very much"),
    ],
)
def test_what_a_fork_would_share_is_refused(serve: Serve, prelude: str, why: str) -> None:
    server = serve(prelude + STEPS)
    assert why in server.fork("run:pids").end()["refused"]
    assert why in server.fork("run:look").end()["refused"]


def test_a_step_that_the_import_did_not_reach_is_refused(serve: Serve) -> None:
    script = """
from proa import pipeline, step

@step
def first() -> None:
    print("first")

@pipeline
def early():
    first()

early()

@step
def second() -> None:
    print("second")
"""
    server = serve(script)
    assert server.fork("run:first").end()["status"] == 0
    assert "doesn't have this one" in server.fork("run:second").end()["refused"]


def test_an_end_is_as_thorough_as_the_interpreters(serve: Serve, project: Project) -> None:
    module = """
import atexit, ctypes, gzip, sys, threading, time
from proa import step

opened = open("at-import", "w")
opened.write("written at import")

class Last:
    def __init__(self, file):
        self.file = file

    def __del__(self):
        self.file.write(", and released")

def handler() -> None:
    with open("handled", "w") as file:
        file.write("yes")

@step
def leaves_things() -> None:
    global packed, later, opened_later, last
    opened.write(", and by the step")
    opened_later = open("later", "w")
    opened_later.write("later")
    last = Last(opened_later)
    packed = gzip.open("packed", "wt")
    packed.write("packed")
    atexit.register(handler)
    threading.Thread(target=lambda: (time.sleep(0.2), open("thread", "w").write("done"))).start()
    ctypes.CDLL(None).printf(b"from C")
    sys.stdout.write("no newline")
    sys.exit(5)
"""
    fork = serve(module).fork("run:leaves_things")
    assert os.WEXITSTATUS(fork.end()["status"]) == 5
    assert b"from C" in fork.text and b"no newline" in fork.text
    root = project.root
    assert (root / "at-import").read_text() == "written at import, and by the step"
    assert (root / "later").read_text() == "later, and released"
    assert (root / "handled").read_text() == "yes" and (root / "thread").read_text() == "done"
    with gzip.open(root / "packed", "rt") as file:
        assert file.read() == "packed"
