"""What all pages share: templates, theme, charts and the files of figures."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import jinja2
import vl_convert
from markupsafe import Markup, escape

from byrote.charts.figure import Figure
from byrote.charts.theme import DARK, FONT, LIGHT, Style, vega_config
from byrote.data.download import cache_folder
from byrote.errors import UserError
from byrote.evidence.words import percent
from byrote.files import make_folder, write_file, write_table
from byrote.report.short_names import with_short_names

Format = Literal["svg", "png", "pdf"]

# Without a container to fill, a chart is as wide as a column of text.
_FILE_WIDTH = 640
_SLIDE_HEIGHT = 440


def environment(names: Mapping[str, str] | None = None) -> jinja2.Environment:
    """Templates of this package: all text is escaped, and a name that is not given is an error. In what they are given,
    `names` of the user's code are short ones."""
    loader = jinja2.PackageLoader("byrote.report")
    made = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=partial(with_short_names, names=names or {}),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.finalize = partial(with_short_names, names=names or {})
    made.filters["percent"] = percent
    made.filters["code"] = code_marked
    made.globals.update(
        css_light=LIGHT.css(),
        css_dark=DARK.css(),
        font=FONT,
        vega=vega,
    )
    return made


def code_marked(text: str) -> Markup:
    """A sentence as HTML, in which what stands between backticks, as a flag to try does, is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


@cache
def vega() -> str:
    """Vega, Vega-Lite and vega-embed, as one script that needs no other. It takes longer to make than the rest of a
    page, and is kept in the user's cache folder, under its own checksum."""
    folder, version = cache_folder("vega"), metadata.version("vl-convert-python")
    for path in folder.glob(f"{version}-*.js"):
        with suppress(OSError, UnicodeDecodeError):
            if _vega_file(version, kept := path.read_bytes().decode()) == path.name:
                return kept
    made = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    with suppress(UserError):  # no page needs it to be kept
        make_folder(folder)
        write_file(folder / _vega_file(version, made), made)
    return made


def _vega_file(version: str, script: str) -> str:
    return f"{version}-{hashlib.sha256(script.encode()).hexdigest()}.js"


def theme(style: Style) -> dict[str, dict[str, object]]:
    """What charts.js colours charts with."""
    return {"light": vega_config(LIGHT, style), "dark": vega_config(DARK, style)}


def write_figure(folder: Path, figure: Figure, style: Style, formats: Sequence[Format]) -> None:
    """The figure as a file in each of `formats`, with the data that it draws."""
    make_folder(folder)
    write_table(folder / f"{figure.name}.csv", figure.data)
    spec = json.dumps(
        {**figure.spec, "width": _FILE_WIDTH, "title": {"text": figure.title, "subtitle": figure.subtitle}}
    )
    config: Any = {**vega_config(LIGHT, style), "title": {"anchor": "start", "fontWeight": "normal", "offset": 12}}
    for kind in formats:
        convert = getattr(vl_convert, f"vegalite_to_{kind}")
        drawn = convert(spec, config=config, **({"scale": 2} if kind == "png" else {}))
        write_file(folder / f"{figure.name}.{kind}", drawn)


def chart(figure: Figure, style: Style) -> dict[str, Any]:
    """What vega-embed draws on a page."""
    return {**figure.spec, "height": _SLIDE_HEIGHT} if style == "slides" else figure.spec


def distinct(records: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Records without repeats, in order."""
    return [dict(items) for items in dict.fromkeys(tuple(sorted(record.items())) for record in records)]
