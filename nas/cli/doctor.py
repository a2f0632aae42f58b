"""`nas doctor`: what this machine can do, and what is missing."""

from __future__ import annotations

from typing import Any

from nas.cli import console
from nas.cli.options import Json


def doctor(json_output: Json = False) -> None:
    """Check this installation: versions, devices, data, cache; and say what to mend.

    Examples:

      nas doctor
    """
    facts = _facts()
    if json_output:
        console.show_json(facts)
        return
    for key, value in facts.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        console.result().print(f"{key:<16} {text}", markup=False, soft_wrap=True)


def _facts() -> dict[str, Any]:
    import torch

    from nas import load_architecture
    from nas.environment import environment
    from nas.nets import build
    from nas.resources import names

    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = build(load_architecture("efficientnet-b0")).eval()
    with torch.no_grad():
        logits = net(torch.zeros(1, 3, 64, 64))
    return {
        **environment(device),
        "gpus": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
        "spaces": names("search_spaces"),
        "recipes": names("studies"),
        "baselines": len(names("search_spaces/baselines")),
        "network": "builds and runs" if tuple(logits.shape) == (1, 1000) else "is broken",
    }
