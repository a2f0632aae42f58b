"""The books of a Ray cluster: which node runs which jobs, what it has room for, and which nodes may time together.

Ray could place tasks by itself, but it does not know that a timed trial needs a whole node, nor which nodes are alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_SAMPLES = 3  # Ray gives back the resources of a task that ended about a second later: what lasts belongs to others


@dataclass(frozen=True, slots=True)
class Kind:
    """Nodes of one kind give throughput that compares: the device's name and, of a CPU, the threads used."""

    device: str
    threads: int | None = None

    def __str__(self) -> str:
        return self.device if self.threads is None else f"{self.device}, {self.threads} threads"


@dataclass(frozen=True, slots=True)
class Terms:
    """How jobs are placed: on a GPU each, or on CPUs; `timed` means a whole node for a CPU job."""

    gpu: bool
    timed: bool


@dataclass(slots=True)
class Node:
    """A node as Ray reports it, and our jobs on it."""

    id: str
    name: str
    cpus: float
    gpus: float
    accelerator: str = ""
    kind: Kind | None = None  # unknown until a probe has answered
    error: str = ""  # why no job may run on it
    running: set[int] = field(default_factory=set)
    taken: deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES))

    def demand(self, terms: Terms) -> tuple[int, int]:
        """CPUs and GPUs that a job asks for here."""
        if terms.gpu:
            return (int(self.cpus // self.gpus) if self.gpus >= 1 else 0, 1)
        return (max(1, int(self.cpus)) if terms.timed else 1, 0)

    def threads(self, terms: Terms) -> int:
        return max(1, self.demand(terms)[0])

    def room(self, terms: Terms) -> int:
        """Jobs of ours that can run here at a time, next to what others run."""
        each = self.demand(terms)[1 if terms.gpu else 0]
        total = int((self.gpus if terms.gpu else self.cpus) - min(self.taken, default=0.0))
        return max(len(self.running), total // each)

    def observe(self, available: Mapping[str, float], terms: Terms) -> None:
        """Take note of what others use, from what Ray says is available."""
        key, total = ("GPU", self.gpus) if terms.gpu else ("CPU", self.cpus)
        ours = len(self.running) * self.demand(terms)[1 if terms.gpu else 0]
        self.taken.append(max(0.0, total - available.get(key, 0.0) - ours))

    def learn(self, facts: Mapping[str, Any], terms: Terms) -> None:
        """What a probe said about this node."""
        self.error = str(facts.get("error", ""))
        if not terms.gpu:
            self.kind = Kind(str(facts["cpu"]), self.threads(terms))
            return
        names = sorted(set(facts["gpus"]))
        self.kind = Kind(" + ".join(names) or self.accelerator or "GPU of unknown name")
        if len(names) > 1 and terms.timed:
            self.error = self.error or f"its GPUs differ ({self.kind}), and their timings do not compare"


class Books:
    """All nodes that are alive. `kind`: the only one that is timed on; None until it is chosen."""

    def __init__(self, terms: Terms, kind: Kind | None = None) -> None:
        self.terms = terms
        self.kind = kind
        self.nodes: dict[str, Node] = {}

    @property
    def known(self) -> bool:
        """Whether every node has answered a probe."""
        return all(node.kind or node.error for node in self.nodes.values())

    def update(self, reported: Iterable[Mapping[str, Any]], available: Mapping[str, Mapping[str, float]]) -> list[Node]:
        """Follow what Ray reports (`ray.nodes()`, resources by node); the nodes that are new."""
        alive = {entry["NodeID"]: entry for entry in reported if entry["Alive"]}
        self.nodes = {id_: node for id_, node in self.nodes.items() if id_ in alive}
        fresh = [_node(entry) for id_, entry in alive.items() if id_ not in self.nodes]
        fresh = [node for node in fresh if (node.gpus if self.terms.gpu else node.cpus) >= 1]
        self.nodes |= {node.id: node for node in fresh}
        for node in self.nodes.values():
            if node.id in available:
                node.observe(available[node.id], self.terms)
        return fresh

    def choose(self) -> None:
        """Settle for the kind of node with the most room, once there is a choice; a kind that was given stays."""
        room: dict[Kind, int] = {}
        for node in self.nodes.values():
            if node.kind and not node.error:
                room[node.kind] = room.get(node.kind, 0) + max(1, node.room(self.terms))
        if self.terms.timed and self.kind is None and room:
            self.kind = max(room, key=lambda kind: (room[kind], str(kind)))
        elif self.kind and self.kind.threads is None:  # given by its name alone: the threads are still open
            same = [kind for kind in room if kind.device == self.kind.device]
            self.kind = max(same, key=lambda kind: (room[kind], str(kind)), default=self.kind)

    def usable(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.kind and not self.reason(node)]

    def reason(self, node: Node) -> str:
        """Why no job is placed on a node; empty when it is used."""
        if node.error or not self.terms.timed:
            return node.error
        if node.kind and node.kind != self.kind:
            return f"it is a {node.kind}; this study times on {self.kind or 'no node yet'}"
        return ""

    def slots(self) -> int:
        """Jobs of ours that can run at a time."""
        return sum(node.room(self.terms) for node in self.usable())

    def place(self, job: int) -> Node | None:
        """The node with the most room for one more job, which is then booked; None when all are full."""
        free = [node for node in self.usable() if node.room(self.terms) > len(node.running)]
        if not free:
            return None
        node = max(free, key=lambda node: node.room(self.terms) - len(node.running))
        node.running.add(job)
        return node

    def release(self, job: int) -> None:
        for node in self.nodes.values():
            node.running.discard(job)


def _node(entry: Mapping[str, Any]) -> Node:
    has = entry["Resources"]
    accelerator = next((name.partition(":")[2] for name in has if name.startswith("accelerator_type:")), "")
    name = f"{entry['NodeManagerAddress']}:{entry['NodeManagerPort']}"
    return Node(entry["NodeID"], name, has.get("CPU", 0.0), has.get("GPU", 0.0), accelerator)
