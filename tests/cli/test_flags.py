import re

import pytest

from byrote.cli.flags import COMMANDS, QUANTITIES, Demo, List, Report, Reproduce
from byrote.cli.parsing import parse
from byrote.data.sources import load
from byrote.errors import UserError
from byrote.studies.registry import measurements
from byrote.training.recipe import Recipe


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
    "words",
    [*([name] for name in COMMANDS if name != "measure"), *(["measure", name] for name in QUANTITIES)],
)
def test_help_describes_every_flag_and_says_what_is_used_where_it_is_left_out(words, capsys):
    with pytest.raises(SystemExit):
        parse([*words, "--help"])
    told = capsys.readouterr().out.replace("│", " ")
    assert "None" not in told
    assert "unset" not in told
    flags = re.findall(r"^  --[a-z].*\n(?: {4,}.*\n)*", told, re.MULTILINE)
    assert len(flags) == len(re.findall(r"^  --[a-z]", told, re.MULTILINE))
    assert len(flags) > 20 or words in (["report"], ["merge"], ["runs"], ["list"])
    for flag in flags:
        text = " ".join(flag.split())
        assert re.search(r"[A-Za-z]{3}.* [a-z]{2,}.*\((default: \S.*|required)\)$", text), flag


@pytest.mark.parametrize(
    ("words", "field", "used"),
    [
        (["demo"], "learning-rate", "0.05"),
        (["reproduce"], "learning-rate", "the study's own, or else 0.1 for inception and resnet, else 0.01"),
        (["measure", "stability"], "epochs", "100"),
        (["measure", "bounds"], "epochs", "1000"),
        (["judge"], "epochs", "300"),
        (["judge"], "n-train", "500, or all where there are fewer"),
    ],
)
def test_help_says_what_is_used(words, field, used, capsys):
    with pytest.raises(SystemExit):
        parse([*words, "--help"])
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    _, _, described = text.partition(f"--{field} ")
    assert described.partition("(default: ")[2].startswith(f"{used})")


@pytest.mark.parametrize("name", QUANTITIES)
def test_what_measures_say_of_their_recipes_is_so(name):
    digits = load("digits")
    measurement = measurements()[name]
    recipe = measurement.make_recipe("mlp-1x512", digits, "float32", {})
    assert recipe.epochs == {"stability": 100, "bounds": 1000}.get(name, 500)
    assert recipe.learning_rate == (0.01 if name == "bounds" else 0.05)
    with pytest.raises(UserError, match="got epochs=5 where training stops after 7 steps"):
        measurement.make_recipe("mlp-1x512", digits, "float32", {"epochs": 5, "steps": 7})


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
