"""From words to a command: tyro parses; what is wrong is told in one sentence, with what was probably meant."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import fields

import tyro

from byrote.cli.flags import (
    COMMANDS,
    EVERYTHING,
    QUANTITIES,
    Audit,
    Command,
    Demo,
    Judge,
    List,
    Merge,
    Quantity,
    QuantityChoice,
    Report,
    Reproduce,
    Run,
    Runs,
)
from byrote.errors import UserError, suggestion
from byrote.records import meant
from byrote.studies.registry import reproductions
from byrote.training.recipe import Recipe

_MEANT: Mapping[str, str] = {
    "dataset": "data",
    "db": "store",
    "dtype": "precision",
    "gpu": "device",
    "output": "out",
    "workers": "executor",
}
"""What other programs call these flags, beside the fields of a recipe, where spelling alone would not lead there."""
_EXPECTED: Mapping[str, str] = {
    "NAME VALUE": "names and values in turn: --optimizer-options eps 1e-8",
    "FLOAT": "a number",
    "INT|{auto}": "a whole number, or auto",
    "INT": "a whole number",
}
"""By a part of tyro's word for what a flag takes; the first that is there."""
_METAVAR = r"^(\{.*?\}|--[\w-]+ \w+|[A-Z]+) (.*)$"
_SEVERAL = ("--models", "--corruptions", "--formats", "--optimizer-options", "--stages")
"""Flags with any number of values, none of which would be taken for having left the flag out."""
_HELP = ("-h", "--help")


def parse(arguments: Sequence[str]) -> Demo | Reproduce | Quantity | Judge | Audit | Run | Report | Runs | Merge | List:
    """The command that these words ask for.

    Raises:
        UserError: a command, a name, a flag or a value that is not there, or one that is missing.
        SystemExit: the help has been printed (code 0).
    """
    words = _spelt(arguments)
    _refuse_unknown(words)
    printed, complaint = io.StringIO(), io.StringIO()
    try:
        with redirect_stderr(complaint), redirect_stdout(sys.stdout if set(_HELP) & set(words) else printed):
            command = tyro.cli(
                Command,
                prog="byrote",
                description="Does your network learn, or learn by rote?",
                args=words,
                config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff),
            )
    except SystemExit as ended:
        if not ended.code:
            raise
        raise UserError(_sentence(complaint.getvalue() + printed.getvalue(), words)) from None
    return command.quantity if isinstance(command, QuantityChoice) else command


def _spelt(arguments: Sequence[str]) -> list[str]:
    """Flags with hyphens; `--model` is the same as `--models`, but for `reproduce`, whose studies have several."""
    words = []
    for word in arguments:
        if word.startswith("--"):
            flag, equals, value = word.partition("=")
            word = flag.replace("_", "-") + equals + value
        words.append(word)
    if words[:1] not in (["reproduce"], ["audit"], ["runs"]):
        words = [re.sub(r"^--model(?==|$)", "--models", word) for word in words]
    return words


def _refuse_unknown(words: Sequence[str]) -> None:
    """Raises UserError for a command, study, quantity or flag that is not there."""
    names = [word for word in words if word not in _HELP]
    if not names:
        return
    if names[0] not in COMMANDS:
        raise _unknown("command", names[0], COMMANDS)
    kind: type = COMMANDS[names[0]]
    second = names[1] if len(names) > 1 and not names[1].startswith("-") else None
    for command, what, known in (
        ("reproduce", "study", (*reproductions(), EVERYTHING)),
        ("measure", "quantity", QUANTITIES),
    ):
        if names[0] == command and second is not None and second not in known:
            raise _unknown(what, second, known)
    if names[0] == "measure" and second is not None:
        kind = QUANTITIES[second]
    flags = flags_of(kind)
    for word in names[1:]:
        flag = word.partition("=")[0]
        if flag.startswith("--") and flag[2:] not in flags:
            raise UserError(f"got {flag}, which byrote {names[0]} does not know{_meant(flag[2:], flags)}")
    for word, after in zip(names, [*names[1:], "--"], strict=True):
        if word in _SEVERAL and after.startswith("--"):
            raise UserError(f"got {word} without a value")


def flags_of(kind: type) -> list[str]:
    """What a command takes beside what has its place, without the hyphens before it."""
    names = [field.name for field in fields(kind) if "Positional" not in str(field.type)]
    if "recipe" in names:
        names = [*names, *(name for name in Recipe.model_fields if name != "precision")]
    return [name.replace("_", "-") for name in names if name != "recipe"]


def _meant(flag: str, flags: Collection[str]) -> str:
    fields = [known.replace("-", "_") for known in flags]
    close = _MEANT[flag] if _MEANT.get(flag) in flags else meant(flag.replace("-", "_"), fields)
    return f"; did you mean --{close.replace('_', '-')}?" if close else "; --help lists what it knows"


def _unknown(what: str, word: str, known: Collection[str]) -> UserError:
    return UserError(f"got the {what} {word!r}, expected one of {', '.join(known)}{suggestion(word, known)}")


def _sentence(box: str, words: Sequence[str]) -> str:
    """What tyro prints (a title, a rule, what is wrong, a rule, where help is), as a sentence."""
    parts: list[list[str]] = [[]]
    for line in box.splitlines():
        if set(line.strip()) == {"-"}:
            parts.append([])
        else:
            parts[-1].append(line.strip())
    text, details = (" ".join(" ".join(part).split()) for part in [*parts[1:], [], []][:2])
    if match := re.match(r"Error parsing (--[\w-]+):", text):
        found = [expected for part, expected in _EXPECTED.items() if part in f"{text} {details}"]
        return f"got {_given(match[1], words)}, expected {found[0] if found else 'another value: see --help'}"
    if match := re.match(r"invalid choice '(.*)' for argument '(.+)'\. Expected one of \((.*)\)", text):
        known = [word for word in re.findall(r"'([^']*)'", match[3]) if word != "None"]
        flag = f"{match[2]} " if match[2].startswith("--") else ""
        return f"got {flag}{match[1]}, expected one of {', '.join(sorted(known))}{suggestion(match[1], known)}"
    if match := re.match(r"Missing value for argument '(.+)'", text):
        return f"got {match[1]} without a value"
    if match := re.match(r"Missing from (.+?): (.+)", text):
        needed = [part.strip().rstrip(".") for part in match[2].split("(required)") if part.strip()]
        return f"{match[1]} needs more: {'; '.join(re.sub(_METAVAR, _as_argument, part) for part in needed)}"
    if match := re.match(r"Expected one of \{(.*)\}", text):
        return f"got byrote {words[0]}, expected one of {match[1]} after it"
    if match := re.match(r"Unrecognized options: (.*)", text):
        return f"got {match[1]}, which no flag of byrote {words[0]} takes"
    return text or " ".join(box.split())


def _as_argument(match: re.Match[str]) -> str:
    """ "--data STR A data source: ..." as "--data STR (a data source: ...)"; of a choice, without its many names."""
    name = "a name" if match[1].startswith("{") else match[1]
    return f"{name} ({match[2][0].lower()}{match[2][1:]})"


def _given(flag: str, words: Sequence[str]) -> str:
    """The flag with the values that follow it."""
    for place, word in enumerate(words):
        if word.startswith(f"{flag}="):
            return word
        if word == flag:
            values = []
            for value in words[place + 1 :]:
                if value.startswith("--"):
                    break
                values.append(value)
            return " ".join([flag, *values])
    return flag
