"""Reports that regenerate a paper's tables and figures and say, number by number, whether the published one follows."""

from __future__ import annotations

from importlib import import_module

from nas.report.papers.paper import Inputs, Paper

PAPERS = {  # name of the report → module with `paper(inputs) -> Paper`
    "efficientnet": "nas.report.papers.efficientnet",
    "efficientnetv2": "nas.report.papers.efficientnetv2",
    "mobilenet": "nas.report.papers.mobilenet",
}


def make_paper(name: str, inputs: Inputs) -> Paper:
    """The report called `name`, regenerated from the shipped facts and these inputs."""
    made: Paper = import_module(PAPERS[name]).paper(inputs)
    return made


__all__ = ["PAPERS", "Inputs", "Paper", "make_paper"]
