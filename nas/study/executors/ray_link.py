"""The driver's end of a gateway to Ray: the process, its environment, its messages."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from nas.study.executors.ray_join import Plan, token_file


class Link:
    """A gateway process, the folder of its private Ray, and what it has said of itself."""

    def __init__(self, plan: Plan, log: Path) -> None:
        self.folder = Path(plan.folder)
        self.ready = False
        self.slots = 0
        self.started = time.monotonic()
        self.buffer = b""
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nas.study.executors.ray_gateway", json.dumps(asdict(plan))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env=_environment(plan),
                start_new_session=True,  # Ctrl-C is the driver's to handle; and the group is one to kill
            )

    @property
    def stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def send(self, **message: Any) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # a gateway that died is noticed by its closed pipe
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def lines(self) -> list[dict[str, Any]] | None:
        """Messages that can be read now; None when there will be no more."""
        chunk = os.read(self.stdout.fileno(), 1 << 20)
        *lines, self.buffer = (self.buffer + chunk).split(b"\n")
        return [json.loads(line) for line in lines] if chunk else None

    def stop(self, patience: float, log: Path) -> None:
        """End the gateway, by closing its input and by force after `patience` seconds, and what it has started.

        What measured code printed on a private Ray is appended to `log`, for the folder that holds it goes.
        """
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._keep(log)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _keep(self, log: Path) -> None:
        for file in sorted(self.folder.glob("r/session_2*/logs/worker-*.*")):
            with contextlib.suppress(OSError):
                if text := file.read_bytes():
                    with log.open("ab") as kept:
                        kept.write(text)


def _environment(plan: Plan) -> dict[str, str]:
    """The environment of a gateway; a private Ray gets a token of its own and stays on loopback."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    if plan.address:
        if environment.get("RAY_AUTH_TOKEN") or token_file(environment).is_file():
            environment.setdefault("RAY_AUTH_MODE", "token")
        return environment
    token = Path(plan.folder) / "token"
    token.touch(mode=0o600)
    token.write_text(os.urandom(32).hex())
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN"):
        environment.pop(name, None)
    # The last one makes Ray use 127.0.0.1, as it does on macOS, in place of this machine's address in the network.
    alone = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    return environment | alone


def short_folder() -> str:
    """Where temporary files go, unless a Unix socket's path of 107 bytes would not fit below it."""
    usual = tempfile.gettempdir()
    return usual if len(usual) <= 30 else "/tmp"  # noqa: S108
