"""What can go wrong while measuring, each as one line and what to do about it."""

from __future__ import annotations

from nas.errors import NasError


class FlopsMismatchError(NasError):
    """fvcore, running the network, and `nas.cost`, reading its description, disagree."""


class UnmeasurableError(NasError):
    """The device cannot take this reading at all: the reading stays absent, it is never 0."""
