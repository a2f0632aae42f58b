"""Valid inputs that are spoilt: the shipped files, records, and command lines that run nothing."""

from __future__ import annotations

from typing import Any

import yaml

from nas.resources import shipped
from tests.fuzz.guard import CANARY


def _shipped(folder: str, names: tuple[str, ...]) -> list[dict[str, Any]]:
    files = [shipped(folder) / f"{name}.yaml" for name in names]
    return [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]


TINY = {
    "resolution": [32, 64], "stem": 8, "head": 16, "classes": 10, "activation": "relu",
    "published": ["efficientnet-b0"],
    "stages": [
        {"op": "fused_mbconv", "kernel": 3, "stride": 2, "channels": 8, "layers": 1, "expand": [1, 2], "se": 0},
        {"op": ["mbconv", "fused_mbconv"], "kernel": [3, 5], "stride": 1, "channels": {"from": 8, "to": 24, "by": 8},
         "layers": {"from": 0, "to": 2}, "expand": 4, "se": {"mbconv": 0.25, "fused_mbconv": 0}},
    ],
}  # fmt: skip
SPACES = [TINY, TINY, *_shipped("search_spaces", ("efficientnet", "efficientnetv2"))]
ARCHITECTURES = _shipped("search_spaces/baselines", ("efficientnet-b0", "resnet-50", "mobilenetv1"))
RECIPES = [
    *_shipped("studies", ("default-cpu", "compound-grid")),
    {"name": "a", "space": "tiny.yaml", "objectives": ["top1_pct*(flops/400M)^-0.07"], "limits": ["flops<=1G"],
     "baselines": ["published", "smallest", f"{CANARY}:make"], "trial_timeout": "90s", "budget": 2.0,
     "training": {"width": 1.0}},
    {"name": "b", "grid": {"base": "efficientnet-b0", "range": [1.0, 1.5]}, "timing": {"batch": 4}},
]  # fmt: skip

TRAININGS = [
    *_shipped("recipes", ("efficientnetv2-s", "efficientnetv2-m-code", "efficientnet")),
    {"width": 1.0, "epochs": 4, "dropout": 0.2, "progressive": {"stages": 2, "resolution": 16, "dropout": 0.0}},
]
WEIGHTS = [
    {"__metadata__": {"nas": '{"arch": "r64 s8 m1k3s1c8n1 h16 y3", "norm_eps": 0.001, "mean": [1, 2, 3], '
                             '"deviation": [4, 5, 6], "top1_pct": 50.5}'},
     "classifier.bias": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]},
     "head.0.weight": {"dtype": "I64", "shape": [2, 2], "data_offsets": [12, 44]}},
    {"a": {"dtype": "F32", "shape": [2, 8], "data_offsets": [0, 64]}},
]  # fmt: skip
CHECKPOINTS = [
    {"schema": 1, "epoch": 1, "file": "checkpoint-0001.safetensors", "identity": {"seed": 0}, "step": 4, "curve": [],
     "sha256": "411a485216e432ece6b9af94fa32154cf79a2a56d4f81266baa50063f45092bd"},
]  # fmt: skip

NOTATIONS = [
    "r224 s32 m1k3s1c16n1se0.25 m6k3s2c24n2se0.25 h1280",
    "r64 s8k7p2 n0.25k3s1c64n3g4 b1k3s2c128n2 d1k3s1c8n1 h0 y10 relu6",
    "r384 s24 f1k3s1c24n2 f4k3s2c48n4 m4k3s2c128n6se0.25 h1280 hardswish",
]
FOREIGN = ["torchvision:resnet18", "timm:resnest50d@128", f"{CANARY}:make", f"{CANARY}:Net.make@64y10", "a.b:c.d@32"]
EXPRESSIONS = [
    "flops<=4e9", "params ≤ 30M", "train_images_per_s>=1000", "top1_pct*(flops/400M)^-0.07", "flops",
    "top1_pct*(train_images_per_s/1)^0.07*(params/1M)^-0.05", "90s", "4h", "2.5d", "30M", "2.5G", ".5e-3k", "0:7",
    "-2:0", "0:2:0.5", "0,0.5,1", "1:2", "params,flops,train", "html,md,csv",
]  # fmt: skip
URLS = [
    "sqlite:///nas.db", "sqlite:///nas.db#first", "sqlite:////tmp/x.db", "sqlite:///file:nas.db?mode=rwc&uri=true",
    "sqlite+pysqlite:///nas.db?timeout=9", "postgresql://user:secret@127.0.0.1:1/nas?sslmode=require",
    "postgresql+psycopg://u:p@[::1]/nas", "mysql://u@h/x?password=secret", "records.jsonl", "report", "first",
    "first:0", "sqlite://", "sqlite:///:memory:", "sqlite:///.",
]  # fmt: skip
SETTINGS = [
    {
        "storage": "sqlite:///nas.db",
        "device": "cpu",
        "data": "fractals",
        "workers": 2,
        "engine": "local",
        "out": "runs/x",
    },
    {"tool": {"nas": 3}, "device": "cpu"},
]

_READING = {
    "value": 1.5, "spread": 0.1, "samples": 3, "conditions": {"device": "cpu", "batch": 8}, "detail": {"by": [1]},
}  # fmt: skip
RECORD = {
    "schema": 1, "study": "first", "trial": 0, "state": "complete", "arch": NOTATIONS[0], "id": "0123456789",
    "readings": {"top1_pct": {**_READING, "value": 70.5}, "flops": {"value": 386_000_000},
                 "train_images_per_s": _READING},
    "settings": {"resolution": 32, "stage1.expand": 1}, "excess": {"flops<=1G": -0.6}, "seed": 1,
    "started": "2025-01-01T00:00:00+00:00", "seconds": 3.5, "environment": {"torch": "2", "cpu": "x"},
}  # fmt: skip
RECORDS = [
    [RECORD],
    [RECORD, {**RECORD, "trial": 1, "state": "failed", "readings": {}, "reason": "out of memory", "retry_of": 0}],
    [{**RECORD, "trial": None, "baseline": "efficientnet-b0", "arch": f"{CANARY}:make@64"}, {**RECORD, "reused": 0}],
]

LINES = [
    ["show", "efficientnet-b0"], ["show", "efficientnet-b0", "efficientnetv2-s"], ["show", NOTATIONS[1], "--json"],
    ["show", "first:0", "-o", "out.yaml"], ["show", "tiny.yaml"], ["show", f"{CANARY}:make"], ["show", "timm:resnet18"],
    ["spaces"], ["spaces", "tiny.yaml", "--sample", "20", "--limit", "flops<=1M"],
    ["spaces", "efficientnet", "--sample", "9", "--json"],
    ["grid", "--most", "3000", "--step", "0.1", "--base", "efficientnet-b0"],
    ["grid", "--most", "3000", "--constraint", "real", "--step", "0.2", "--range", "1:1.4", "--json"],
    ["grid", "--recipe", "compound-grid", "--most", "3000", "--pixels", "8"],
    ["grid", "--measure", "--dry-run", "--device", "cpu", "--most", "3000", "--step", "0.25", "--tolerance", "0.3"],
    ["scale", "--base", "efficientnet-b0", "--phi", "0:2", "--rule", "compound"],
    ["scale", "--fit", "records.jsonl"],
    ["scale", "--base", NOTATIONS[0], "--phi", "0,0.5", "--rule", "fast", "--json"],
    ["studies", "list"], ["studies", "show", "first"], ["studies", "export", "first", "-o", "x.jsonl"],
    ["studies", "list", "--storage", "sqlite:///nas.db", "--json"], ["studies", "delete", "nope", "--yes"],
    ["report", "nope"], ["report", "broken.jsonl", "--out", "report"], ["report", "efficientnet", "--format", "x"],
    ["search", "--space", "tiny.yaml", "--dry-run", "--device", "cpu", "--limit", "flops<=9G"],
    ["search", "--recipe", "recipe.yaml", "--dry-run", "--device", "cpu"],
    ["search", "--study", "first", "--dry-run", "--device", "cpu", "--trials", "3"],
    ["search", "--space", "tiny.yaml", "--dry-run", "--device", "cpu", "--objective", "flops", "--timeout", "9s"],
    ["dashboard", "nope"], ["dashboard", "--port", "99999"], ["measure", "--what", "x"],
    ["--config", "nas.toml", "spaces"],
    ["--version"], ["doctor", "x"],
]  # fmt: skip
OPTIONS = [
    "--json", "--storage", "--out", "-o", "--seed", "--limit", "--objective", "--sampler", "--workers", "--trials",
    "--device", "--timeout", "--step", "--target", "--tolerance", "--range", "--phi", "--alpha", "--beta", "--rule",
    "--fit", "--with", "--data", "--study", "--config", "--quiet", "--pixels", "--base", "--nope", "-x", "--", "--help",
]  # fmt: skip
