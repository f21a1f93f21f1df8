import pytest

from byrote.cli.flags import Demo, List, Report, Reproduce
from byrote.cli.parsing import parse
from byrote.training.spec import Recipe


@pytest.mark.parametrize("name", [name for name in Recipe.model_fields if name != "precision"])
def test_every_field_of_the_recipe_is_a_flag(name, capsys):
    with pytest.raises(SystemExit):
        parse(["demo", "--help"])
    assert f"--{name.replace('_', '-')} " in capsys.readouterr().out


def test_flags_say_what_the_recipe_says(capsys):
    with pytest.raises(SystemExit):
        parse(["reproduce", "--help"])
    assert "whatever n is" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("", {}),
        ("--learning-rate 0.2 --batch-size 16", {"learning_rate": 0.2, "batch_size": 16}),
        ("--crop None", {"crop": None}),
        ("--stop at_steps --steps 3", {"stop": "at_steps", "steps": 3}),
        (
            "--optimizer-options nesterov True alpha 0.5",
            {"optimizer_options": (("nesterov", True), ("alpha", 0.5))},
        ),
    ],
)
def test_only_what_was_given_changes_the_recipe(words, changes):
    command = parse(["demo", *words.split()])
    assert isinstance(command, Demo)
    assert command.recipe == changes


@pytest.mark.parametrize(
    ("words", "kind", "fields"),
    [
        ("demo --live --formats svg pdf --style slides", Demo, {"live": True, "formats": ("svg", "pdf")}),
        ("demo", Demo, {"precision": "float32"}),
        ("reproduce figure1 --data digits", Reproduce, {"scale": "laptop", "precision": "auto", "seeds": 1}),
        ("report somewhere", Report, {"style": None, "formats": None}),
        ("list", List, {"what": None}),
        ("list models", List, {"what": "models"}),
    ],
)
def test_commands(words, kind, fields):
    command = parse(words.split())
    assert isinstance(command, kind)
    assert {name: getattr(command, name) for name in fields} == fields
