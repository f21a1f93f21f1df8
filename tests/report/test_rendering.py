import altair as alt
import jinja2
import pandas as pd
import pytest

from byrote.charts.figure import Figure
from byrote.report import rendering
from byrote.report.rendering import chart, code_marked, distinct, environment, vega, write_figure


@pytest.fixture
def figure():
    data = pd.DataFrame({"x": [1], "y": [2]})
    drawn = alt.layer(alt.Chart(data).mark_point().encode(x="x:Q", y="y:Q"))
    return Figure("points", "Points", "a subtitle", "A caption.", data, drawn)


def test_a_figure_is_a_file_in_each_format_with_its_data(figure, tmp_path):
    write_figure(tmp_path / "figures", figure, "screen", ("svg", "png", "pdf"))
    files = {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    assert set(files) == {"points.csv", "points.svg", "points.png", "points.pdf"}
    assert files["points.csv"] == b"x,y\n1,2\n"
    assert files["points.png"].startswith(b"\x89PNG")
    assert files["points.pdf"].startswith(b"%PDF")


def test_charts_of_slides_are_taller(figure):
    assert chart(figure, "screen") == figure.spec
    assert chart(figure, "slides")["height"] == 440


def test_templates_escape_and_miss_no_name():
    page = environment()
    assert page.from_string("{{ x }} {{ 0.123 | percent }}").render(x="<b>") == "&lt;b&gt; 12.3%"
    with pytest.raises(jinja2.UndefinedError):
        page.from_string("{{ y }}").render()


def test_the_script_of_pages_is_made_once_and_anew_where_its_file_is_damaged(tmp_path, monkeypatch):
    made = []

    def bundle(snippet):
        made.append(snippet)
        return "charts;\r\n'\u00e9'"

    monkeypatch.setattr(rendering, "cache_folder", lambda name: tmp_path / name)
    monkeypatch.setattr(rendering.vl_convert, "javascript_bundle", bundle)
    read = vega.__wrapped__
    assert read() == read() == "charts;\r\n'\u00e9'"
    assert len(made) == 1
    (file,) = (tmp_path / "vega").iterdir()
    for damaged in (b"", b"charts;", b"\xff", file.read_bytes() + b" "):
        file.write_bytes(damaged)
        made.clear()
        assert read() == read() == "charts;\r\n'\u00e9'"
        assert len(made) == 1
    (tmp_path / "in the way").touch()
    monkeypatch.setattr(rendering, "cache_folder", lambda name: tmp_path / "in the way" / name)
    assert read() == "charts;\r\n'\u00e9'"


def test_records_come_once():
    assert distinct([{"a": "1"}, {"a": "2"}, {"a": "1"}]) == [{"a": "1"}, {"a": "2"}]


def test_a_flag_to_try_is_code_and_all_else_is_escaped():
    assert code_marked("a < b: try `--epochs 300`, twice") == "a &lt; b: try <code>--epochs 300</code>, twice"
    made = environment({"some/net.py:Net": "Net"}).from_string("{{ text | code }}")
    assert made.render(text="some/net.py:Net: `--n 1`") == "Net: <code>--n 1</code>"
