"""The command line: `byrote audit | demo | reproduce | measure | judge | run | report | runs | merge | list`."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Sequence

from byrote import __version__
from byrote.cli.interruption import Interrupted, ending_like_ctrl_c, say
from byrote.errors import RankLost, StoreError, UserError
from byrote.files import remedy
from byrote.masking import masked


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    0 done, 2 wrong input (one sentence on stderr), 3 some run failed and the rest is kept, 4 an audit found what
    --fail-on asks about, 130 interrupted (by Ctrl-C, SIGTERM or SIGHUP)."""
    if argv is None:  # Imports leave no garbage, and looking for it took 7 % of the time of a short command.
        gc.set_threshold(10_000)
    with ending_like_ctrl_c():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    from byrote.cli import commands
    from byrote.cli.flags import Audit, Demo, Judge, List, Merge, Quantity, Report, Reproduce, Run, Runs
    from byrote.cli.launched import is_follower, refuse_launched
    from byrote.cli.parsing import parse

    command: object = None
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    if arguments in (["--version"], ["-V"]):
        print(f"byrote {__version__}")
        return 0
    try:
        try:
            command = parse(arguments)
        except SystemExit as ended:  # tyro has printed help
            return int(ended.code or 0)
        refuse_launched(command)
        match command:
            case Demo() | Reproduce() | Quantity() | Judge() | Run():
                return commands.make(command, arguments)
            case Audit():
                from byrote.cli.auditing import make_audit

                return make_audit(command, arguments)
            case _ if is_follower():
                return 0
            case Report():
                return commands.report(command)
            case Runs():
                from byrote.cli.stores import show_runs

                return show_runs(command)
            case Merge():
                from byrote.cli.stores import merge_stores

                return merge_stores(command)
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
        return 0 if is_follower() else _wrong_input(_in_flags(str(error), command))  # the first process says it
    except RankLost as error:
        say(f"byrote: {error}")
        return 3
    except OSError as error:
        return _wrong_input(f"cannot write {error.filename or 'what is to be printed'}: {remedy(error)}")
    except SystemExit as ended:  # nothing of ours does that
        return _wrong_input(f"code of yours called sys.exit({ended.code!r}): take the call out, nothing is reported")
    except Exception:  # a fault of ours: its trace is for a report of it, and may quote what was typed
        say(masked(traceback.format_exc()))
        return 1


def _in_flags(sentence: str, command: object) -> str:
    from byrote.cli.flag_names import as_flags
    from byrote.cli.parsing import flags_of

    return sentence if command is None else as_flags(sentence, flags_of(type(command)))


def _wrong_input(sentence: str) -> int:
    say(f"byrote: {masked(sentence)}")
    return 2
