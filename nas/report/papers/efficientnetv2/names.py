"""What the EfficientNetV2 paper calls its networks, and where nas has them."""

from __future__ import annotations

from nas.report.papers.peers import network

STAGES = {  # the zoo's entries at the four image sizes of the code's progressive learning; the last is the largest
    "EfficientNetV2-S": ("efficientnetv2-s@171", "efficientnetv2-s@214", "efficientnetv2-s@257", "efficientnetv2-s"),
    "EfficientNetV2-M": ("efficientnetv2-m@192", "efficientnetv2-m@256", "efficientnetv2-m@320", "efficientnetv2-m"),
    "EfficientNetV2-L": ("efficientnetv2-l@192", "efficientnetv2-l@256", "efficientnetv2-l@320", "efficientnetv2-l"),
}
_PLOTTED = {  # series of the figures → the name in Table 7 of a point of it
    "EffNetV2": "EfficientNetV2-{}",
    "EffNetV2(21k)": "EfficientNetV2-{}",
    "EfficientNetV2": "EfficientNetV2-{}",
    "EfficientNetV2 (21k)": "EfficientNetV2-{}",
    "EffNet": "EfficientNet-{}",
    "EfficientNet": "EfficientNet-{}",
    "DeiT": "{} (ViT+reg)",
    "ViT(21k)": "{}",
    "ViT": "{}",
    "ResNeSt": "ResNeSt-{}",
    "RegNetY": "RegNetY-{}",
    "NFNet": "NFNet-{}",
}


def zoo_name(model: str) -> str:
    """The name under which the zoo measures `model`; empty where it cannot."""
    found = network(model)
    return found.shipped or found.foreign


def plotted(series: str, label: str) -> str:
    """The name in Table 7 of a point of a figure; empty where the figure names none."""
    name = label.replace("(21k)", "").strip()
    return _PLOTTED[series].format(name) if series in _PLOTTED and name and not name.endswith("?") else ""
