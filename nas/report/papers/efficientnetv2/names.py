"""What the EfficientNetV2 paper calls its networks, and where nas has them."""

from __future__ import annotations

from nas.report.papers.networks import Network

_NOBODY = "neither nas, torchvision nor timm holds this network"
_PEERS = {
    "ResNet-RS": "timm:resnetrs420",
    "ResNet-RS-420": "timm:resnetrs420",
    "RegNetY-8GF": "torchvision:regnet_y_8gf",
    "RegNetY-16GF": "torchvision:regnet_y_16gf",
    "ResNeSt-101": "timm:resnest101e",
    "ResNeSt-200": "timm:resnest200e",
    "ResNeSt-269": "timm:resnest269e",
    "TResNet-L": "timm:tresnet_l",
    "TResNet-XL": "timm:tresnet_xl",
    **{f"NFNet-F{place}": f"timm:dm_nfnet_f{place}" for place in range(5)},
    "BiT-M-R152x2": "timm:resnetv2_152x2_bit",
    "ViT-B/32": "timm:vit_base_patch32_384",
    "ViT-B/16": "timm:vit_base_patch16_384",
    "ViT-L/16": "timm:vit_large_patch16_384",
    "DeiT-B (ViT+reg)": "timm:deit_base_patch16_224",
    "DeiT-B-384 (ViT+reg)": "timm:deit_base_patch16_384",
}
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


def network(model: str) -> Network:
    """The network that the paper calls `model`; pre-training on ImageNet21k changes no network."""
    name = model.replace("(21k)", "").strip()
    if name.startswith(("V1-", "V2-")):
        name = {"V1": "EfficientNet", "V2": "EfficientNetV2"}[name[:2]] + name[2:]
    if name in _PEERS:
        return Network(foreign=_PEERS[name])
    if name.startswith(("EfficientNet-B", "EfficientNetV2-")):
        return Network(name.lower())
    return Network(why=_NOBODY)


def zoo_name(model: str) -> str:
    """The name under which the zoo measures `model`; empty where it cannot."""
    found = network(model)
    return found.shipped or found.foreign


def plotted(series: str, label: str) -> str:
    """The name in Table 7 of a point of a figure; empty where the figure names none."""
    name = label.replace("(21k)", "").strip()
    return _PLOTTED[series].format(name) if series in _PLOTTED and name and not name.endswith("?") else ""
