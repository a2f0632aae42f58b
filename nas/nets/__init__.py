"""From an architecture to a `torch.nn.Module`."""

from nas.nets.build import Network, build

__all__ = ["Network", "build"]
