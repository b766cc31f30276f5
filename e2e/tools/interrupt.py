"""Run a command like a terminal does, and press Ctrl-C once it has printed a line that matches a pattern.

    python interrupt.py PATTERN COMMAND [ARGUMENT ...]

Prints what the command printed, then "exit code N"; fails if the command ends before the pattern, or not within a
minute after the Ctrl-C.
"""

import os
import re
import signal
import subprocess
import sys

pattern, command = sys.argv[1], sys.argv[2:]
# Background jobs of a shell ignore SIGINT; a terminal's jobs don't.
signal.signal(signal.SIGINT, signal.SIG_DFL)
process = subprocess.Popen(
    command,
    start_new_session=True,
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
)
assert process.stdout is not None
matched = False
for line in process.stdout:
    print(line, end="", flush=True)
    if not matched and re.search(pattern, line):
        matched = True
        os.killpg(process.pid, signal.SIGINT)
        signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
        signal.alarm(60)
code = process.wait()
print("exit code", code)
sys.exit(0 if matched else 1)
