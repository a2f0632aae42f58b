"""`nas dashboard` as a process of its own, for tests and benchmarks: started, killed, started again on its port."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")


class Served:
    """A running dashboard; `url` is its page."""

    def __init__(self, *words: str, port: int = 0, cwd: Path | None = None) -> None:
        self.words, self.cwd = words, cwd
        self.port = port
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        settings = {name: value for name, value in os.environ.items() if not name.startswith("NAS_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "nas", "dashboard", *self.words, "--port", str(self.port)],
            cwd=self.cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**settings, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        line = process.stdout.readline() if select.select([process.stdout], [], [], 60)[0] else ""
        if not line.startswith("http"):
            process.kill()
            raise RuntimeError(f"the dashboard did not start: {process.stderr.read()}")
        self.url = line.strip()
        self.port = int(self.url.rstrip("/").rpartition(":")[2])
        return process

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:  # on this machine
            return bytes(answer.read())

    def cpu(self) -> float:
        """Seconds of processor time that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        self._reap()

    def restart(self) -> None:
        """On the same port."""
        self.process = self._start()

    def close(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self._reap()
        return self.process.returncode

    def _reap(self) -> None:
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def wait_until(holds: object, seconds: float = 10.0) -> None:
    """Waits for a condition of this process, never longer than it takes. Raises: TimeoutError."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("it did not come to hold")
        time.sleep(0.02)
