import gc
import sys

import pytest

from byrote import __version__
from byrote.cli import main
from byrote.cli.flags import QUANTITIES
from byrote.cli.parsing import parse
from byrote.errors import UserError


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("demoo", "got the command 'demoo', expected one of demo, .*; did you mean 'demo'?"),
        ("memorise", "got the command 'memorise', expected one of demo, reproduce, measure, judge, audit, run, .*"),
        ("reproduce figur1 --data digits", "got the study 'figur1', expected one of .*; did you mean 'figure1'?"),
        ("measure bound --data digits", "got the quantity 'bound', expected one of .*; did you mean 'bounds'?"),
        ("reproduce figure1 --data digits --model a", "got --model, which .* does not know; did you mean --models?"),
        ("demo --lr 0.1", "got --lr, which byrote demo does not know; did you mean --learning-rate?"),
        ("demo --batchsize 3", "got --batchsize, which .*; did you mean --batch-size?"),
        ("demo --learning_rte=1", "got --learning-rte, which .*; did you mean --learning-rate?"),
        ("demo --seed 3", "got --seed, which .*; did you mean --seeds?"),
        ("demo --zzz", "got --zzz, which byrote demo does not know; --help lists what it knows"),
        ("demo --seeds many", "got --seeds many, expected a whole number"),
        ("demo --seeds=many", "got --seeds=many, expected a whole number"),
        ("demo --crop x", "got --crop x, expected a whole number"),
        ("demo --processes x", "got --processes x, expected a whole number, or auto"),
        ("demo --learning-rate fast", "got --learning-rate fast, expected a number"),
        ("demo --optimizer-options eps", "got --optimizer-options eps, expected names and values in turn: .*"),
        ("demo --precision half", "got --precision half, expected one of auto, bfloat16, float32"),
        ("demo --formats gif", "got --formats gif, expected one of pdf, png, svg"),
        ("list modles", "got modles, expected one of .*; did you mean 'models'?"),
        ("demo --epochs", "got --epochs without a value"),
        ("reproduce figure1 --data digits --models", "got --models without a value"),
        ("reproduce figure1", "byrote reproduce needs more: --data STR (a data source: see `byrote list data`)"),
        ("report", "byrote report needs more: PATH (the OUT of an earlier command)"),
        (
            "measure",
            "got byrote measure, expected one of rademacher, largest-n, stability, memorization, bounds after it",
        ),
        ("demo extra", "got extra, which no flag of byrote demo takes"),
    ],
)
def test_a_slip_is_told_in_one_sentence_with_what_was_meant(words, sentence, capsys):
    assert main(words.split()) == 2
    told = capsys.readouterr()
    pattern = sentence.replace("?", r"\?").replace("(", r"\(").replace(")", r"\)")
    assert not told.out
    assert told.err.count("\n") == 1
    with pytest.raises(UserError, match=f"^{pattern}$"):
        parse(words.split())


@pytest.mark.parametrize("flag", ["--model", "--models", "--model=mlp-1x8"])
def test_what_is_measured_may_be_called_model_or_models(flag):
    command = parse(["measure", "bounds", "--data", "digits", flag, *([] if "=" in flag else ["mlp-1x8"])])
    assert isinstance(command, QUANTITIES["bounds"])
    assert command.models == "mlp-1x8"


def test_underscores_are_hyphens():
    assert parse(["demo", "--learning_rate=0.5"]).recipe == {"learning_rate": 0.5}


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version(flag, capsys):
    assert main([flag]) == 0
    assert capsys.readouterr().out == f"byrote {__version__}\n"


def test_looking_for_garbage_is_left_as_it_was_to_who_calls_it(monkeypatch):
    before = gc.get_threshold()
    gc.set_threshold(700)
    try:
        assert main(["--version"]) == 0
        assert gc.get_threshold()[0] == 700
        monkeypatch.setattr(sys, "argv", ["byrote", "--version"])
        assert main() == 0
        assert gc.get_threshold()[0] == 10_000
    finally:
        gc.set_threshold(*before)
