"""One study as the pages know it: its rows, and since which version each is as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nas.record import Record
from nas.report import explore
from nas.report.assumed import assumed_recipe
from nas.report.row import Row, row
from nas.study.feed import Changes
from nas.study.feed import Head as FeedHead


class Board:
    """A study's rows, numbered in the order in which they came; a number stays a trial's own."""

    def __init__(self, key: str, feed: FeedHead) -> None:
        self.key, self.feed = key, feed
        self.rows: list[Row] = []
        self.stamp = 0  # the version at which anything changed last
        self._stamps: list[int] = []
        self._places: dict[tuple[int | None, str], int] = {}
        self._repeated: set[int] = set()
        self._labels = explore.Labels()
        self._floor: dict[str, float] = {}
        self._known: set[Any] = set()  # what the description of the metrics depends on
        self._telling: list[Row] = []  # rows that added to it
        self._hints: list[Record] = []  # records that add to what is assumed where no recipe tells
        self._hinted: set[str] = set()
        self._head = _head(key, feed, ())
        self._fields: dict[str, Any] = {}
        self._field_stamps: dict[str, int] = {}

    def take(self, changes: Changes, version: int) -> bool:
        """Apply what the feed found, as of `version`. Whether pages must read the study anew."""
        floor, empty = self._floor, not self.rows
        if changes.fresh:
            self._forget()
        if changes.head is not None:
            self.feed = changes.head
        before = self._head
        if self._learn(changes.records) or changes.head is not None:
            self._head = _head(self.key, self.feed, self._hints)
        other = (before.name, before.objectives, before.limits) != (
            self._head.name,
            self._head.objectives,
            self._head.limits,
        )
        self._head = replace(self._head, state=changes.state, note=changes.note)
        news = changes.head is not None or changes.fresh or other
        for record in changes.records:
            news |= self._place(row(record, self._head.objectives), version)
        self._mark_repeats(changes, version)
        self._describe(news, version)
        self.stamp = version
        return changes.fresh or other or (not empty and self._floor != floor)  # the floor is in the spread of every row

    def document(self) -> dict[str, Any]:
        """The study whole."""
        return explore.study_document(self._head, self.rows, self._labels)

    def patch(self, since: int) -> dict[str, Any] | None:
        """What changed after the version `since`; None where nothing did."""
        if self.stamp <= since:
            return None
        at = [number for number, stamp in enumerate(self._stamps) if stamp > since]
        columns = explore.patch_columns(self._head, self.rows, at, self._labels, self._floor)
        head = {name: self._fields[name] for name, stamp in self._field_stamps.items() if stamp > since}
        return {"key": self.key, "at": at, "rows": columns, **({"head": head} if head else {})}

    def _learn(self, records: Sequence[Record]) -> bool:
        """Keep the records that say something new of what was measured, or held to, where no recipe does. Whether any
        does."""
        telling = False
        for record in records if self.feed.recipe is None else ():
            said = {*record.readings, *record.excess}
            if not said <= self._hinted:
                self._hinted |= said
                self._hints.append(record)
                telling = True
        return telling

    def _forget(self) -> None:
        self._hints, self._hinted = [], set()
        self.rows, self._stamps, self._places = [], [], {}
        self._repeated, self._known, self._telling, self._floor = set(), set(), [], {}
        self._labels = explore.Labels()

    def _place(self, new: Row, version: int) -> bool:
        """Put a row where it belongs. Whether it changes what is said of the study as a whole."""
        where = (new.trial, new.id if new.trial is None else "")
        number = self._places.setdefault(where, len(self.rows))
        if number == len(self.rows):
            self.rows.append(new)
            self._stamps.append(version)
        elif self.rows[number] != new:
            self.rows[number], self._stamps[number] = new, version
        for key, value in new.noise.items():
            if value > self._floor.get(key, 0.0):
                self._floor = {**self._floor, key: value}
        known = {*new.values, *new.conditions.items(), new.proxy, ("device", new.device), ("training", new.training)}
        if known <= self._known:
            return False
        self._known |= known
        self._telling.append(new)
        for label, labels in ((new.device, self._labels.devices), (new.training, self._labels.trainings)):
            if label and label not in labels:
                labels.append(label)
        return True

    def _mark_repeats(self, changes: Changes, version: int) -> None:
        """A trial that ends may make another one a repeat, which has not changed itself."""
        if changes.records:
            repeated = explore.repeats(self.rows)
            for number in repeated ^ self._repeated:
                self._stamps[number] = version
            self._repeated = repeated

    def _describe(self, news: bool, version: int) -> None:
        """What is said of the study as a whole, and since when."""
        fields = explore.head_fields(self._head)
        if news:
            fields["metrics"] = explore.metrics(self._head, self._telling, self._floor)
            fields |= {"devices": list(self._labels.devices), "trainings": list(self._labels.trainings)}
        for name, value in fields.items():
            if self._fields.get(name) != value:
                self._fields[name], self._field_stamps[name] = value, version


def _head(key: str, feed: FeedHead, records: Sequence[Record]) -> explore.Head:
    """What the page is told of the study. Without a recipe objectives and limits are those that records suggest."""
    if feed.recipe is not None:
        return replace(explore.head(feed.recipe, key, feed.source, feed.option), name=feed.name)
    assumed = assumed_recipe(feed.name, records)
    return explore.Head(
        key, feed.name, assumed.parsed_objectives, assumed.parsed_limits, source=feed.source, option=feed.option
    )
