"""What takes seconds to make from a whole study: its settings, its report's sections, the page as a file."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from nas.dashboard.answers import packed
from nas.dashboard.hub import Hub, Packed, encode
from nas.report.assumed import assumed_recipe
from nas.report.study import StudyReport
from nas.study.feed import Head, Snapshot
from nas.study.grid_space import parse_any_space
from nas.study.importance import importance, importance_needs
from nas.study.space import Space


class Reports:
    """Answers made once for each state of a study. One at a time: each holds all records of a study in memory."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._lock = hub, threading.Lock()
        self._shares: dict[str, tuple[int, Mapping[str, Mapping[str, float]]]] = {}
        self._made: dict[tuple[str, str], tuple[str, Packed]] = {}  # (what, study) → version, answer

    def settings(self, key: str) -> Packed:
        """The open cells of the space by row, or null. Raises: NasError where the study cannot be read."""
        return self._answer("settings", key, lambda _: _packed_json(self._settings(key)))

    def report(self, key: str) -> Packed:
        """The sections and figures around the explorer, and the version they are of. Raises: NasError where the study
        cannot be read."""
        made = self._answer("report", key, lambda stamp: Packed(encode(_sections(self._study(key))), b"", stamp))
        newest = self._hub.version  # read first: then the study, unchanged until after, is as it is in that version
        version = newest if self._hub.stamp(key) == made.tag else made.tag
        plain = made.plain[:-1] + b',"of":' + encode(version) + b"}"
        return Packed(plain, gzip.compress(plain, 4, mtime=0), version)

    def download(self, key: str) -> tuple[str, Packed]:
        """A file name without its end, and the study as one page. Raises: NasError where it cannot be read."""
        from nas.report.analysis import analyse
        from nas.report.page import render

        def make(_: str) -> Packed:
            study = self._study(key)
            return packed(render(study, analyse(study.records, study.recipe)), 1)  # the file is packed inside

        return _file_name(self._hub.name(key)), self._answer("download", key, make)

    def _answer(self, what: str, key: str, make: Callable[[str], Packed]) -> Packed:
        with self._lock:
            version = self._hub.stamp(key)
            known = self._made.get((what, key))
            if known is None or known[0] != version:
                known = self._made[what, key] = (version, make(version))
            return known[1]

    def _settings(self, key: str) -> dict[str, Any] | None:
        rows = self._hub.settings(key)
        names = list(dict.fromkeys(name for settings in rows for name in settings))
        if not names:
            return None
        return {"names": names, "columns": [[settings.get(name) for settings in rows] for name in names]}

    def _study(self, key: str) -> StudyReport:
        """What a report of this study is drawn from."""
        snapshot = self._hub.snapshot(key)
        study = _plain_study(snapshot)
        stored = snapshot.head.facts.get("space")
        if not isinstance(stored, Mapping) or not {"stages", "triples"} & stored.keys():  # a report's own facts
            return study
        space = parse_any_space(stored, f"study '{snapshot.head.name}'")
        return replace(
            study,
            provenance={**study.provenance, "space": {"name": space.name, "hash": space.hash}},
            importance=self._importance(key, study, space),
            importance_needs=importance_needs(space),
        )

    def _importance(self, key: str, study: StudyReport, space: Space) -> Mapping[str, Mapping[str, float]]:
        """Seconds to compute, and slow to change: made anew when there are a tenth more trials."""
        count = sum(record.state == "complete" for record in study.records)
        known = self._shares.get(key)
        if known is None or not known[0] <= count < 1.1 * known[0]:
            keys = [key for objective in study.recipe.parsed_objectives for key in objective.metrics]
            known = self._shares[key] = (count, importance(study.records, space, keys))
        return known[1]


def _plain_study(snapshot: Snapshot) -> StudyReport:
    head = snapshot.head
    records = sorted(snapshot.records, key=lambda record: -1 if record.trial is None else record.trial)
    recipe = head.recipe or assumed_recipe(head.name, records)
    return StudyReport(
        records, recipe, _provenance(head), source=head.source, option=head.option, assumed=head.recipe is None
    )


def _provenance(head: Head) -> Mapping[str, Any]:
    """The facts of a storage in the words of a report; a report's own as they are."""
    facts = head.facts
    if "environment" not in facts or not isinstance(facts.get("device"), str):
        return facts
    environment = facts["environment"]
    name = environment.get("gpu", environment.get("cpu", ""))
    kept = {key: facts[key] for key in ("command", "created", "environment") if key in facts}
    return {**kept, "device": {"kind": facts["device"], "name": name}}


def _sections(study: StudyReport) -> dict[str, Any]:
    from nas.report.analysis import analyse
    from nas.report.page import figures, sections

    analysis = analyse(study.records, study.recipe)
    made = [{"anchor": anchor, "title": title, "html": html} for anchor, title, html in sections(study, analysis)]
    return {"sections": made, "figures": dict(figures(study, analysis))}


def _packed_json(document: Any) -> Packed:
    plain = encode(document)
    return Packed(plain, gzip.compress(plain, 4, mtime=0), f"{hash(plain):x}")


def _file_name(name: str) -> str:
    """The study's name in letters that every file system and every header takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "study"
