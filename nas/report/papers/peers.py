"""The networks that the papers compare themselves with, under the names they call them, and where nas finds them."""

from __future__ import annotations

from nas.report.papers.networks import Network

NOBODY = "neither nas, torchvision nor timm holds this network"

_SHIPPED = {
    "ResNet-34": "resnet-34",
    "ResNet-50": "resnet-50",
    "ResNet-152": "resnet-152",
}
_FOREIGN = {
    # EfficientNet
    "DenseNet-169": "torchvision:densenet169",
    "DenseNet-201": "torchvision:densenet201",
    "Inception-v3": "torchvision:inception_v3",
    "Xception": "timm:legacy_xception",
    "Inception-v4": "timm:inception_v4",
    "Inception-resnet-v2": "timm:inception_resnet_v2",
    "Inception-ResNet-v2": "timm:inception_resnet_v2",
    "ResNeXt-101": "torchvision:resnext101_64x4d",
    "SENet": "timm:legacy_senet154",
    "NASNet-A": "timm:nasnetalarge",
    "NASNet-A (large, label inferred)": "timm:nasnetalarge",
    "PNASNet": "timm:pnasnet5large",
    # EfficientNetV2
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
    # MobileNet
    "GoogleNet": "torchvision:googlenet",
    "VGG 16": "torchvision:vgg16",
    "Squeezenet": "torchvision:squeezenet1_0",
    "AlexNet": "torchvision:alexnet",
}


def network(model: str) -> Network:
    """The network that a paper calls `model`; pre-training on ImageNet21k changes no network."""
    name = model.replace("(21k)", "").strip()
    if name.startswith(("V1-", "V2-")):
        name = {"V1": "EfficientNet", "V2": "EfficientNetV2"}[name[:2]] + name[2:]
    if name in _FOREIGN:
        return Network(foreign=_FOREIGN[name])
    if name in _SHIPPED:
        return Network(_SHIPPED[name])
    if name.startswith(("EfficientNet-B", "EfficientNetV2-")):
        return Network(name.lower())
    return Network(why=NOBODY)
