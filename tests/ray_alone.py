"""Asks to join clusters that are open to a network, in a network of its own: `unshare -Urnpf --mount-proc`.

Prints one JSON line an attempt: {"refused": why} or {"joined": capacity}.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from nas.study.executors import EngineError, Pool
from nas.study.executors.ray import RayExecutor

HOST = "10.9.9.9"


def attempt(folder: Path, address: str, **options: Any) -> None:
    try:
        executor = RayExecutor(Pool(1, folder, evaluate="tests.workers:quick"), address, **options)
    except EngineError as error:
        print(json.dumps({"refused": f"{error}; {error.hint}"}), flush=True)
        return
    print(json.dumps({"joined": executor.capacity}), flush=True)
    executor.close()


def main() -> None:
    folder = Path(sys.argv[1])
    for words in (["link", "set", "lo", "up"], ["addr", "add", f"{HOST}/32", "dev", "lo"]):
        subprocess.run(["ip", *words], check=True)
    attempt(folder, "auto")
    ray = Path(sys.executable).with_name("ray")
    start = ["start", "--head", "--port=6379", f"--node-ip-address={HOST}", "--num-cpus=1", "--include-dashboard=false"]
    subprocess.run([ray, *start, f"--temp-dir={folder}"], check=True, capture_output=True)
    attempt(folder, "auto")
    os.environ["RAY_AUTH_TOKEN"] = "t" * 64
    attempt(folder, f"{HOST}:6379")
    attempt(folder, f"{HOST}:6379", allow_open=True)


if __name__ == "__main__":
    main()
