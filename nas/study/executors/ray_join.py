"""How a Ray cluster is joined or started, and whether that is safe: Ray runs what anybody who reaches it sends.

Ray 2.52 and later have a shared token: RAY_AUTH_MODE=token, and the token in RAY_AUTH_TOKEN, in the file that
RAY_AUTH_TOKEN_PATH names, or in ~/.ray/auth_token. Without it a head listens on all interfaces, unauthenticated.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.study.executors import EngineError

_HOW = (
    "on every node: set RAY_AUTH_MODE=token and put one token into ~/.ray/auth_token, mode 0600 (docs/cluster.md); "
    "--ray-open joins all the same"
)
_START = (
    "start one with `ray start --head` (docs/cluster.md), or leave --ray-address out for a Ray on this machine alone"
)
_CLUSTER = "from ray._raylet import GcsClient; import sys; print(GcsClient(address=sys.argv[1]).cluster_id)"


class SilentError(EngineError):
    """Nothing answers there: it may yet come back."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the driver asks of a gateway. `address` "" starts a private Ray; `patience` is in seconds."""

    address: str
    evaluate: str
    gpu: bool
    timed: bool
    cpus: int
    allow_open: bool
    patience: float
    folder: str
    device: str | None
    threads: int | None


def join(plan: Plan) -> str:
    """Connect to the cluster of a plan, or start a Ray of its own on loopback; its address.

    Raises: EngineError when it should not or cannot be joined.
    """
    import ray
    from ray._private import services

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "WARNING"}
    if not plan.address:
        begun: Any = ray.init(
            address="local",
            include_dashboard=False,
            num_cpus=plan.cpus,
            object_store_memory=80 << 20,  # near Ray's least: replies are small
            _temp_dir=f"{plan.folder}/r",  # Ray lets everybody write into it: the folder around it is ours alone
            **quiet,
        )
        return str(begun.address_info["gcs_address"])
    if plan.address != "auto" and not re.fullmatch(r"[\w.\-]+:\d+|\[[0-9a-fA-F:.]+\]:\d+", plan.address):
        hint = "auto finds the cluster of this machine; HOST:PORT is what `ray start --head` prints"
        raise EngineError(f"Ray address {plan.address!r}: expected auto or HOST:PORT", hint)
    try:
        address = services.canonicalize_bootstrap_address_or_die(plan.address)
    except (ConnectionError, ValueError) as error:
        said = line(error).partition(". ")[0].rstrip(".")
        raise EngineError(f"Ray address {plan.address}: {said}", _START) from None
    check_answers(address)
    if not (plan.allow_open or loopback(address)):
        check_token(address, os.environ)
        check_closed(address)
    try:
        ray.init(address=address, **quiet)
    except Exception as error:  # the driver's machine is no node, other versions, a wrong token: Ray says which
        hint = "this machine must be a node of the cluster, with the same versions of Python and Ray and the same token"
        raise EngineError(f"Ray cluster {address} cannot be joined: {line(error)}", hint) from None
    return address


def loopback(address: str) -> bool:
    """Whether HOST:PORT can be reached from this machine alone, by the host as it is written."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token_file(environment: Mapping[str, str]) -> Path:
    """Where Ray looks for the token unless RAY_AUTH_TOKEN gives it."""
    return Path(environment.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")


def check_token(address: str, environment: Mapping[str, str]) -> None:
    """Refuse to join a cluster beyond this machine without a token that is kept safe.

    Raises: EngineError.
    """
    if loopback(address):
        return
    if (mode := environment.get("RAY_AUTH_MODE", "token")) != "token":
        raise EngineError(f"Ray cluster {address}: RAY_AUTH_MODE is {mode}, so anybody who reaches it runs code", _HOW)
    if environment.get("RAY_AUTH_TOKEN"):
        return
    file = token_file(environment)
    try:
        empty, readable = not file.read_text().strip(), stat.S_IMODE(file.stat().st_mode) & 0o077
    except OSError:
        raise EngineError(f"Ray cluster {address}: no token, neither in RAY_AUTH_TOKEN nor in {file}", _HOW) from None
    if empty:
        raise EngineError(f"Ray cluster {address}: {file} is empty, a token was expected", _HOW)
    if readable:
        raise EngineError(f"Ray cluster {address}: others on this machine may read {file}", f"chmod 600 {file}")


def check_closed(address: str) -> None:
    """Refuse a cluster that lets a client without a token in. It asks, in a process of its own.

    Raises: EngineError.
    """
    if is_open(address):
        raise EngineError(f"Ray cluster {address} answers without a token, so anybody who reaches it runs code", _HOW)


def is_open(address: str) -> bool:
    """Whether the cluster's head answers a client that has no token."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_AUTH_")}
    environment |= {"RAY_AUTH_MODE": "disabled"}
    command = [sys.executable, "-c", _CLUSTER, address]
    try:
        asked = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return False  # whoever does not answer does not let in either; the join says more
    return asked.returncode == 0


def check_answers(address: str) -> None:
    """Raises: SilentError when nothing listens there."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError as error:
        raise SilentError(f"no Ray cluster answers at {address}: {error}", _START) from None


def line(error: BaseException) -> str:
    """What somebody else's error says, in one line: its last one, for tracebacks end with the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]
