"""The command line: `byrote demo | reproduce | measure | judge | report | list`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from byrote import __version__
from byrote.errors import StoreError, UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    0 done, 2 wrong input (one sentence on stderr), 3 some run failed and the rest is kept, 130 interrupted.
    """
    from byrote.cli import commands
    from byrote.cli.flags import Demo, Judge, List, Measure, Report, Reproduce
    from byrote.cli.parsing import parse

    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    if arguments in (["--version"], ["-V"]):
        print(f"byrote {__version__}")
        return 0
    try:
        match parse(arguments):
            case Demo() | Reproduce() | Measure() as command:
                return commands.train(command, arguments)
            case Judge() as command:
                return commands.judge(command, arguments)
            case Report() as command:
                return commands.report(command)
            case List() as command:
                return commands.show_names(command)
    except SystemExit as ended:  # tyro has printed help
        return int(ended.code or 0)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone; nor is there anybody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ValidationError as error:
        return _wrong_input("; ".join(map(_sentence, error.errors())))
    except (UserError, StoreError, OSError) as error:
        return _wrong_input(str(error))


def _sentence(problem: ErrorDetails) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    flag = "--" + str(problem["loc"][0]).replace("_", "-")
    return f"got {flag} {problem['input']}: {message[0].lower()}{message[1:]}"


def _wrong_input(sentence: str) -> int:
    print(f"byrote: {sentence}", file=sys.stderr)
    return 2
