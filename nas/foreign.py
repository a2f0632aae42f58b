"""A foreign network is a value too: who makes it, and at what size. What is inside is known once it is built."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from nas.arch import Architecture, parse
from nas.errors import NasError

LIBRARIES = ("torchvision", "timm")
DEFAULT_RESOLUTION = 224  # where a model states no size of its own
_LARGEST = 8_192  # pixels, as of an Architecture
_REFERENCE = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*):([A-Za-z_][\w.-]*)(?:@(\d{1,9})(?:y(\d{1,9}))?)?")


class ForeignError(NasError):
    """A reference to a foreign network that does not read, or that makes no network."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A network that nas does not describe: `torchvision:NAME`, `timm:NAME`, or `module:callable` of anyone.

    `reference` says who makes it; images enter at `resolution` × `resolution` px, and (N, classes) leave.
    """

    reference: str
    resolution: int = DEFAULT_RESOLUTION
    classes: int = 1000

    def __post_init__(self) -> None:
        match = _REFERENCE.fullmatch(self.reference)
        if not match or match[3]:
            raise ForeignError(
                f"'{self.reference}' is not a foreign network", "write torchvision:NAME, timm:NAME or module:callable"
            )
        for name, value, most in (("resolution", self.resolution, _LARGEST), ("classes", self.classes, 1_000_000)):
            if type(value) is not int or not 1 <= value <= most:
                raise ForeignError(f"{self.reference}: {name}: expected 1 to {most:,}; got {value!r}")

    @property
    def source(self) -> str:
        """The library or module: `torchvision`."""
        return self.reference.partition(":")[0]

    @property
    def name(self) -> str:
        """The model or callable: `densenet169`."""
        return self.reference.partition(":")[2]

    @property
    def id(self) -> str:
        """Ten hexadecimal digits of a hash of `str(self)`: the same in every process."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:10]

    def __str__(self) -> str:
        """`torchvision:densenet169@224`, and `mymodule:net@32y10` where the classes are not 1,000; `read` takes it."""
        classes = f"y{self.classes}" if self.classes != 1000 else ""
        return f"{self.reference}@{self.resolution}{classes}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person wrote: a reference, and the pixels and classes if they said so."""

    reference: str
    resolution: int | None
    classes: int | None

    def sized(self, own: int) -> Foreign:
        """The network: of `own` pixels and of 1,000 classes, where nothing else was written."""
        resolution = own if self.resolution is None else self.resolution
        return Foreign(self.reference, resolution, 1000 if self.classes is None else self.classes)


def is_foreign(text: str) -> bool:
    """Whether `text` has the form of a foreign network. `STUDY:17` has not: digits follow the colon."""
    return _REFERENCE.fullmatch(text) is not None


def is_code(text: str) -> bool:
    """Whether `text` is a `module:callable`: code of anyone, which building the network runs; no library's model is."""
    return is_foreign(text) and text.partition(":")[0] not in LIBRARIES


def check_allowed(text: str, where: str, allowed: bool) -> None:
    """Nothing for a network that runs no stranger's code, or where the user allows it.

    `text` stands in a file or a stored study, `where` says in which: what was downloaded may name any function of any
    module. What a user names on the command line is allowed by that, and is not asked about.

    Raises: ForeignError for a `module:callable` that is not allowed.
    """
    if is_code(text) and not allowed:
        raise ForeignError(
            f"{where}: {text[:200]} runs code, and code that a file or a stored study names is not run",
            f"name it yourself: nas measure {text[:200]}; or search with --allow-code by a recipe that you trust",
        )


def split(text: str) -> Asked:
    """`torchvision:densenet169@224` taken apart. Raises: ForeignError for another form."""
    match = _REFERENCE.fullmatch(text)
    if not match:
        raise ForeignError(
            f"'{text}' is not a foreign network",
            "write torchvision:NAME, timm:NAME or module:callable, and @PIXELS after it for another size",
        )
    module, name, resolution, classes = match.groups()
    return Asked(f"{module}:{name}", int(resolution) if resolution else None, int(classes) if classes else None)


def read(text: str) -> Architecture | Foreign:
    """The network that a record's `arch` names: the one-line notation, or `str` of a Foreign.

    Raises: NasError naming what does not read.
    """
    if not is_foreign(text):
        return parse(text)
    return split(text).sized(DEFAULT_RESOLUTION)
