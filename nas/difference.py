"""What differs between two architectures, cell by cell."""

from __future__ import annotations

from nas.arch import Architecture


def differences(a: Architecture, b: Architecture) -> list[tuple[str, str, str]]:
    """(what, in a, in b) for every cell in which they differ; a stage that one of them lacks is one row."""
    rows = []
    for key in ("resolution", "stem", "stem_kernel", "stem_pool", "head", "classes", "activation"):
        if getattr(a, key) != getattr(b, key):
            rows.append((key, str(getattr(a, key)), str(getattr(b, key))))
    for number in range(max(len(a.stages), len(b.stages))):
        one = a.stages[number] if number < len(a.stages) else None
        two = b.stages[number] if number < len(b.stages) else None
        name = f"stage {number + 1}"
        if one is None or two is None:
            rows.append((name, str(one or "–"), str(two or "–")))
            continue
        for key in ("op", "kernel", "stride", "channels", "layers", "expand", "se", "groups"):
            if getattr(one, key) != getattr(two, key):
                rows.append((f"{name} {key}", str(getattr(one, key)), str(getattr(two, key))))
    return rows
