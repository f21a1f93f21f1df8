"""The command line: `byrote audit | demo | reproduce | measure | judge | run | report | list`."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from byrote import __version__
from byrote.cli.interruption import Interrupted, ending_like_ctrl_c, say
from byrote.errors import StoreError, UserError
from byrote.files import remedy
from byrote.masking import masked


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    0 done, 2 wrong input (one sentence on stderr), 3 some run failed and the rest is kept, 4 an audit found what
    --fail-on asks about, 130 interrupted (by Ctrl-C, SIGTERM or SIGHUP)."""
    with ending_like_ctrl_c():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    from byrote.cli import commands
    from byrote.cli.flags import Audit, Demo, Judge, List, Quantity, Report, Reproduce, Run
    from byrote.cli.parsing import parse

    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    if arguments in (["--version"], ["-V"]):
        print(f"byrote {__version__}")
        return 0
    try:
        try:
            command = parse(arguments)
        except SystemExit as ended:  # tyro has printed help
            return int(ended.code or 0)
        match command:
            case Demo() | Reproduce() | Quantity() | Judge() | Run():
                return commands.make(command, arguments)
            case Audit():
                from byrote.cli.auditing import make_audit

                return make_audit(command, arguments)
            case Report():
                return commands.report(command)
            case List():
                return commands.show_names(command)
    except Interrupted:
        return 130
    except KeyboardInterrupt:
        say("byrote: interrupted before anything was trained")
        return 130
    except BrokenPipeError:  # the reader of our output has gone; nor is there anybody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UserError, StoreError) as error:
        return _wrong_input(str(error))
    except OSError as error:
        return _wrong_input(f"cannot write {error.filename or 'what is to be printed'}: {remedy(error)}")
    except SystemExit as ended:  # nothing of ours does that
        return _wrong_input(f"code of yours called sys.exit({ended.code!r}): take the call out, nothing is reported")
    except Exception:  # a fault of ours: its trace is for a report of it, and may quote what was typed
        say(masked(traceback.format_exc()))
        return 1


def _wrong_input(sentence: str) -> int:
    say(f"byrote: {masked(sentence)}")
    return 2
