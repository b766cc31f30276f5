"""Run a command like a terminal does, and press Ctrl-C once it has printed a line that matches a pattern.

    python interrupt.py [--terminal] [--again=PATTERN] PATTERN COMMAND [ARGUMENT ...]

With --again, Ctrl-C is pressed a second time once a later line matches that. With --terminal, the command has a real
terminal, and a key is pressed; without, it gets the signal.

Prints what the command printed, then "exit code N"; fails if the command ends before the patterns, or not within a
minute after a Ctrl-C.
"""

import argparse
import os
import pty
import re
import signal
import subprocess
import sys
from typing import Callable, Iterator


def lines_of(descriptor: int) -> Iterator[str]:
    """Yield lines as they come; of a line without an end, too."""
    rest = b""
    while True:
        try:
            data = os.read(descriptor, 65536)
        except OSError:  # a terminal without anybody at its other end
            data = b""
        rest += data
        *whole, rest = rest.replace(b"\r", b"\n").split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in whole)
        if not data:
            yield rest.decode("utf-8", "replace")
            return
        yield rest.decode("utf-8", "replace")


def press(
    lines: Iterator[str],
    patterns: "list[str]",
    key: Callable[[], None],
    kill: Callable[[], None],
) -> bool:
    """Print lines, and press a key at the first that matches each pattern, in order."""
    for line in lines:
        if line:
            print(line, flush=True)
        if patterns and re.search(patterns[0], line):
            patterns.pop(0)
            key()
            signal.signal(signal.SIGALRM, lambda *_: kill())
            signal.alarm(60)
    return not patterns


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--terminal", action="store_true")
    parser.add_argument("--again")
    parser.add_argument("pattern")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    patterns = [given.pattern] + ([given.again] if given.again else [])
    # Background jobs of a shell ignore SIGINT; a terminal's jobs don't.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if given.terminal:
        pid, master = pty.fork()
        if pid == 0:
            os.execvp(given.command[0], given.command)
        done = press(
            lines_of(master),
            patterns,
            lambda: os.write(master, b"\x03") and None,
            lambda: os.killpg(pid, signal.SIGKILL),
        )
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    else:
        process = subprocess.Popen(
            given.command,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdout is not None
        done = press(
            lines_of(process.stdout.fileno()),
            patterns,
            lambda: os.killpg(process.pid, signal.SIGINT),
            lambda: os.killpg(process.pid, signal.SIGKILL),
        )
        code = process.wait()
    print("exit code", code)
    return 0 if done else 1


sys.exit(main())
