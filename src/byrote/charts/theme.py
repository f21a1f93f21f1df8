"""Colours and type, once for the page, its charts and the SVG files.

The series are the colour-blind-safe palette of Okabe and Ito (2008), in an order that puts its nearest pairs last;
charts never rely on it alone, but give each series a dash or a shape of its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Style = Literal["screen", "slides"]

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Helvetica, Arial, sans-serif"
DASHES = ([1, 0], [6, 3], [2, 2], [10, 3, 2, 3], [10, 4], [1, 3], [4, 2, 1, 2, 1, 2], [14, 4])


@dataclass(frozen=True)
class Palette:
    """The colours of pages and charts."""

    ground: str
    raised: str
    """Behind tables and code."""
    ink: str
    quiet: str
    """Secondary text; at least 4.5:1 on the ground."""
    rule: str
    """Hairlines and grids."""
    accent: str
    good: str
    bad: str
    unsure: str
    series: tuple[str, ...]
    rates: tuple[str, float, float]
    """A Vega scheme for ordered values, and the part of it that stands out from the ground."""

    def css(self) -> str:
        """The single colours as CSS custom properties."""
        return "".join(f"--{name}:{value};" for name, value in asdict(self).items() if isinstance(value, str))


LIGHT = Palette(
    ground="#fdfdfb",
    raised="#f4f4ef",
    ink="#1b1c1e",
    quiet="#5d6166",
    rule="#dedfda",
    accent="#0072b2",
    good="#00694c",
    bad="#b3261e",
    unsure="#7a5200",
    series=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#1b1c1e", "#e69f00", "#56b4e9", "#8a8d91"),
    rates=("viridis", 0.0, 0.88),
)
DARK = Palette(
    ground="#141517",
    raised="#1d1f22",
    ink="#ececea",
    quiet="#a2a6ab",
    rule="#33363a",
    accent="#56b4e9",
    good="#4cc9a0",
    bad="#ff8a80",
    unsure="#f0b429",
    series=("#56b4e9", "#e8702a", "#1fb88c", "#d68fb7", "#ececea", "#e6a81f", "#f0e442", "#8a8d91"),
    rates=("viridis", 0.25, 1.0),
)


def vega_config(palette: Palette, style: Style = "screen") -> dict[str, object]:
    """The Vega-Lite `config` of all charts. Charts name scales ("category", "ramp"), and this colours them."""
    size = 12 if style == "screen" else 20
    weight = 1.0 if style == "screen" else 1.7
    scheme, first, last = palette.rates
    return {
        "background": palette.ground,
        "font": FONT,
        "padding": 4,
        "view": {"stroke": None},
        "axis": {
            "labelFontSize": size,
            "titleFontSize": size,
            "titleFontWeight": "normal",
            "labelColor": palette.quiet,
            "titleColor": palette.quiet,
            "gridColor": palette.rule,
            "gridWidth": 0.6,
            "domain": False,
            "ticks": False,
            "labelPadding": 6,
            "titlePadding": 10,
        },
        "axisX": {
            "grid": False,
            "domain": True,
            "domainColor": palette.quiet,
            "ticks": True,
            "tickColor": palette.quiet,
        },
        "legend": {
            "orient": "top",
            "direction": "horizontal",
            "title": None,
            "labelFontSize": size,
            "titleFontSize": size,
            "titleFontWeight": "normal",
            "titleColor": palette.quiet,
            "labelColor": palette.ink,
            "labelLimit": 320,
            "symbolStrokeWidth": 2 * weight,
            "symbolSize": 70 * weight,
            "columnPadding": 14,
            "rowPadding": 4,
            "offset": 10,
        },
        "line": {"strokeWidth": 1.8 * weight, "strokeCap": "round", "strokeJoin": "round"},
        "rule": {"color": palette.quiet, "strokeWidth": weight},
        "text": {"color": palette.quiet, "fontSize": size},
        "point": {"size": 60 * weight, "strokeWidth": 1.8 * weight},
        "range": {
            "category": list(palette.series),
            "ramp": {"scheme": scheme, "extent": [first, last]},
        },
    }
