"""Distillation (Hinton, Vinyals and Dean 2015, arXiv:1503.02531): a student learns a teacher's soft answers too."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Teacher(nn.Module):
    """(N, 3, R, R) → (N, classes) logits of a network that is not trained, shown pictures as it was used to see them.

    Pictures come normalised by `mean` and `deviation` (3,), in bytes; the teacher expects its `own`, and `resolution`.
    """

    def __init__(
        self, net: nn.Module, resolution: int, given: tuple[Tensor, Tensor], own: tuple[Tensor, Tensor] | None
    ) -> None:
        super().__init__()
        self.net, self.resolution = net.eval().requires_grad_(False), resolution
        mean, deviation = given
        own_mean, own_deviation = own or given
        self.scale = nn.Buffer((deviation / own_deviation)[:, None, None])
        self.shift = nn.Buffer(((mean - own_mean) / own_deviation)[:, None, None])

    def train(self, mode: bool = True) -> Teacher:  # noqa: ARG002
        """It stays in eval mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        shown = x * self.scale + self.shift
        if shown.shape[-1] != self.resolution:
            shown = functional.interpolate(shown, size=self.resolution, mode="bilinear", antialias=True)
        logits: Tensor = self.net(shown)
        return logits


def distilled(hard: Tensor, student: Tensor, teacher: Tensor, temperature: float, hard_weight: float) -> Tensor:
    """The labels' loss `hard` and the divergence of the student's softened answers from the teacher's, mixed.

    Logits (N, classes). KL(softmax(teacher / T) ‖ softmax(student / T)) · T²: its gradient then does not shrink with T.
    """
    soft = functional.kl_div(
        (student.float() / temperature).log_softmax(1),
        (teacher.float() / temperature).log_softmax(1),
        reduction="batchmean",
        log_target=True,
    )
    return hard_weight * hard + (1 - hard_weight) * temperature**2 * soft
