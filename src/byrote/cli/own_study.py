"""A study of the user's own, by its name: FILE.py:NAME or package.module:NAME."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any


def own_study(name: str, data: Any, **given: Any) -> Any:
    """What `name` makes of the data and of those arguments that are given (not None).

    `name` leads to a subclass of `byrote.Study` whose first argument is the data, or to a function of the data that
    gives a study.

    Raises:
        UserError: there is no such thing, it takes no data or not all that is given, it makes no study, or one with
            nothing to make.
    """
    from byrote.errors import UserError
    from byrote.references import is_reference, load_object, users_code
    from byrote.studies.study import Study

    if not is_reference(name):
        raise UserError(
            f"got the study {name!r}, expected FILE.py:NAME or package.module:NAME of a byrote.Study; those in the box "
            f"are made by byrote reproduce and byrote measure"
        )
    make = load_object(name)
    if isinstance(make, Study):
        raise UserError(
            f"got {name!r}, which is a study with data of its own, expected its class or a function of the data; in "
            "Python, byrote.run takes it as it is"
        )
    if not callable(make):
        raise UserError(f"got {name!r}, which is {make!r}, expected a subclass of byrote.Study or a function of data")
    if inspect.isabstract(make):
        lacking = ", ".join(sorted(make.__abstractmethods__))
        raise UserError(f"got {name!r}, which lacks {lacking}: a study has plan, summarise and verdict")
    parameters = inspect.signature(make).parameters
    takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    arguments = {argument: value for argument, value in given.items() if value is not None}
    if "data" not in parameters and not takes_all:
        raise UserError(f"got {name!r}, which takes ({', '.join(parameters)}), expected an argument called data")
    for argument in arguments:
        if argument not in parameters and not takes_all:
            raise UserError(f"got --{argument}, which {name} does not take: leave it out")
    with users_code(name, f"making the study {name!r}"):
        made = make(data=data, **arguments)
    if not isinstance(made, Study):
        raise UserError(f"got {name!r}, which gave {type(made).__name__}, expected a byrote.Study")
    for attribute in ("name", "title"):
        if not isinstance(getattr(made, attribute, None), str):
            raise UserError(f'got {name!r}, whose study has no {attribute}: give it {attribute} = "..."')
    if type(made).__module__.partition(".")[0] != "byrote":
        for method in ("plan", "summarise", "verdict", "page"):
            # Frozen, as a study is: what it is asked for stays what it is but for how a fault in it is told.
            object.__setattr__(made, method, _told(name, method, getattr(made, method)))
    if not made.plan():
        raise UserError(f"got {name!r}, whose plan is empty: there is nothing to make")
    return made


def _told(name: str, method: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The same method; what it raises is one sentence with the user's line."""
    from byrote.references import users_code

    when = "" if method == "plan" else ", called when its runs were stored,"

    @wraps(call)
    def of(*arguments: Any, **named: Any) -> Any:
        with users_code(name, f"{method} of {name!r}{when}"):
            made = call(*arguments, **named)
            for figure in getattr(made, "figures", ()) if method == "page" else ():
                figure.spec  # noqa: B018 - altair looks at a chart no sooner than it is drawn
            return made

    return of
