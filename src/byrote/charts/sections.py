"""What a page shows of a study, before it is HTML: a headline and sections of figures and tables.

Each study's `page.py` makes one. The page adds what all studies share: pictures of the examples, all results, checks,
notes, verdict, setup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from byrote.charts.figure import Figure

Tone = Literal["", "quiet", "good", "bad", "unsure"]


@dataclass(frozen=True)
class Cell:
    """One entry of a table that does not look like the others."""

    text: str
    tone: Tone = ""
    note: str = ""
    """In small letters after it."""


@dataclass(frozen=True)
class PageTable:
    """The first column names the row and stands to the left, the others are figures and stand to the right.

    >>> PageTable(("width", "steps"), {"": [("16", "120"), ("32", "80")]}).header
    ('width', 'steps')
    """

    header: Sequence[str]
    blocks: Mapping[str, Sequence[Sequence[str | Cell]]]
    """Rows under a heading each; the heading "" is not shown."""
    spans: Sequence[tuple[str, int]] = ()
    """A line above the header: headings with the number of columns each covers, from the first column on."""


@dataclass(frozen=True)
class Picture:
    """An image with a caption."""

    image: str
    """A PNG as a data URI."""
    caption: str
    place: str = ""
    """Where the example came from, in words."""


@dataclass(frozen=True)
class PictureRow:
    """Pictures under a heading."""

    title: str
    pictures: Sequence[Picture]


@dataclass(frozen=True, eq=False)
class Section:
    """A part of a page: figures or a table under a title.

    >>> table = PageTable(("width", "steps"), {"": [("16", "120"), ("32", "80")]})
    >>> Section(id="widths", title="Time to fit", lead="A row for each width.", table=table).title
    'Time to fit'
    """

    id: str
    title: str
    lead: str
    """What is shown, and how to read it, in one or two sentences."""
    number: str = ""
    """The paper's own name for it: "Figure 1a"."""
    figures: Sequence[Figure] = ()
    table: PageTable | None = None
    note: str = ""
    """Beneath: what limits it."""
    pictures: Sequence[PictureRow] = ()
    """Examples, in rows under a heading each."""
    beside_next: bool = False
    """Whether it shares its row with the section that follows, on a screen wide enough."""


def drawn(*figures: Figure | None) -> list[Figure]:
    """Those that there are: what makes a figure gives None where the runs do not allow it."""
    return [figure for figure in figures if figure is not None]


@dataclass(frozen=True)
class Gap:
    """A train and a test accuracy under one labelling, the means over seeds."""

    labels: str
    train: float
    test: float
    guessing: float
    """What knowing nothing gives: the best constant on true labels, 1/K for a network trained on random ones."""


@dataclass(frozen=True)
class Answer:
    """Whether a model learns or learns by rote."""

    model: str
    n_train: int
    parameters: int
    num_seeds: int
    decided: bool
    """Whether the runs allow an answer at all."""
    headline: str
    sentence: str
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, eq=False)
class Presentation:
    """What a study shows on its page.

    >>> Presentation("Wider networks fit in fewer steps.", []).headline
    'Wider networks fit in fewer steps.'
    """

    headline: str
    """The whole page in one line."""
    sections: Sequence[Section]
    answers: Sequence[Answer] = ()
    """Per model, whether it learns or learns by rote, where the study asks that."""
    notes: Sequence[str] = ()
    """How to read this study's figures, beyond what holds for all."""

    @property
    def figures(self) -> list[Figure]:
        """Those of all sections."""
        return [figure for section in self.sections for figure in section.figures]
