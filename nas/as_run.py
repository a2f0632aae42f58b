"""The network that a reading is really of, and its cost: trained as a proxy, or timed at a share of its pixels."""

from __future__ import annotations

import dataclasses

from nas.arch import Architecture, ArchitectureError, parse
from nas.cost import cost
from nas.metric import COMPUTED
from nas.record import Reading, Record


def arch_as_run(record: Record, reading: Reading) -> Architecture:
    """The network as it was trained (the proxy that stood in for it) or timed (at the resolution it was shown).

    Raises: ArchitectureError for a foreign network, which has no notation.
    """
    trained = reading.detail.get("trained")
    if isinstance(trained, str):
        return parse(trained)
    resolution = reading.conditions.get("resolution")
    arch = parse(record.arch)
    return dataclasses.replace(arch, resolution=resolution) if isinstance(resolution, int) else arch


def cost_as_run(record: Record, reading: Reading) -> dict[str, float] | None:
    """Params, FLOPs and activations of the network as it was run, by their names; None where they are not known.

    In closed form; a foreign network's come from its record, and count only at the resolution they were counted at.
    """
    try:
        arch = arch_as_run(record, reading)
    except ArchitectureError:
        found = {key: record.value(key) for key in COMPUTED}
        counted = record.readings["flops"].conditions.get("resolution") if "flops" in record.readings else None
        known = {key: value for key, value in found.items() if value}
        same = counted in (None, reading.conditions.get("resolution"))
        return known if len(known) == len(COMPUTED) and same else None
    return {key: float(value) for key, value in dataclasses.asdict(cost(arch)).items()}
