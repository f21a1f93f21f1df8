from __future__ import annotations

from itertools import combinations

import pytest

from byrote.charts.theme import DARK, DASHES, LIGHT, Palette, vega_config


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "quiet", "good", "bad", "unsure"])
def test_text_is_readable_on_the_ground(palette: Palette, name: str) -> None:
    assert contrast(getattr(palette, name), palette.ground) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_series_differ_in_colour_and_in_dash(palette: Palette) -> None:
    assert len(set(palette.series)) == len(palette.series) == len(DASHES)
    assert all(one != other for one, other in combinations(DASHES, 2))


def test_slides_have_larger_type() -> None:
    sizes = [vega_config(LIGHT, style)["axis"]["labelFontSize"] for style in ("screen", "slides")]
    assert sizes[1] >= 1.5 * sizes[0]


def test_css_names_every_single_colour() -> None:
    assert "--ground:#fdfdfb;" in LIGHT.css()
    assert "series" not in LIGHT.css()
