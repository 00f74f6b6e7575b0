"""Runs one generated program under limits and reports on descriptor 3 whether it ran to its end.

Standard input: one JSON object {"program", "token", "cpuSeconds", "memoryBytes"}. The verdict is the
token, written to descriptor 3 only after the whole program returned: an early exit, by whatever
means, or anything printed, is no verdict. The token is read before the program exists.

This stops accidents of generated code (loops, memory, files, processes, connections); it is not a
wall against code written to break out. Linux and macOS.
"""

import json
import os
import resource
import sys

# Events of sys.audit that no task of the benchmark needs.
DENIED = (
    "ctypes.",
    "ftplib.",
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.spawn",
    "os.symlink",
    "os.system",
    "os.truncate",
    "pty.",
    "shutil.",
    "signal.pthread_kill",
    "socket.",
    "subprocess.",
    "urllib.",
    "webbrowser.",
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def guard(event: str, args: tuple) -> None:
    if event.startswith(DENIED):
        raise PermissionError(f"{event} is not allowed in a benchmark task")
    if event == "open" and isinstance(args[2], int) and args[2] & WRITING:
        raise PermissionError(f"writing to {args[0]!r} is not allowed in a benchmark task")


def limit(kind: int, value: int) -> None:
    """Lowers a limit; a system that refuses still has the deadline of the parent."""
    try:
        resource.setrlimit(kind, (value, value))
    except (OSError, ValueError):
        pass


def main() -> None:
    task = json.load(sys.stdin)
    closed = os.open(os.devnull, os.O_RDONLY)
    os.dup2(closed, 0)
    limit(resource.RLIMIT_CPU, task["cpuSeconds"])
    limit(resource.RLIMIT_AS, task["memoryBytes"])
    limit(resource.RLIMIT_FSIZE, 0)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_NPROC, 0)
    limit(resource.RLIMIT_NOFILE, 64)
    token = task["token"].encode()
    program = task["program"]
    sys.addaudithook(guard)
    try:
        exec(compile(program, "task.py", "exec"), {"__name__": "task"})
    except BaseException as error:
        print(f"{type(error).__name__}: {error}"[:300], file=sys.stderr)
        os._exit(1)
    os.write(3, token)
    os._exit(0)


main()
