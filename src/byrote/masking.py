"""Passwords in addresses, which nobody but the user is to read: every text that leaves byrote goes through `masked`."""

from __future__ import annotations

import re

MASK = "***"

_ADDRESS = r"[A-Za-z][\w+.-]*://"
# scheme://user:PASSWORD@host; also user:PASSWORD@host and scheme:/user:PASSWORD@host, which are slips. A password with
# an @ of its own ends at the last one. No user is called FILE.py: what stands behind that is a name in a file.
_SLIP = r"(?<![^\s'\"=(])(?:[^\s:@'\"]+\.py:)*[^\s:@'\"]+(?<!\.py)"
_USER = rf"(?:{_ADDRESS}[^\s:/@'\"]*|{_SLIP}):(?!//)"
_IN_TEXT = re.compile(rf"({_USER})[^\s'\"]*@")
_IN_ADDRESS = re.compile(rf"({_USER}).*@", re.DOTALL)
# ?password=PASSWORD, and the connection strings of libpq.
_FIELD = r"\b[\w.-]*(?:pas|pw|secret|token|key|cred|auth)[\w.-]*\s*="
_FIELDS_IN_TEXT = re.compile(rf"([?&;]{_FIELD}|(?<![^\s'\"])(?:sslpassword|password)\s*=)[^\s&;'\"]*", re.IGNORECASE)
_FIELDS_IN_ADDRESS = re.compile(rf"([?&;]{_FIELD})[^&;#]*", re.IGNORECASE)


def masked(text: str) -> str:
    """`text` with *** for the passwords and keys in any address that it has, well formed or not.

    A text that is one address from its start, as an argument of a command is, may have spaces and quotes in its
    password; in a longer text these end it.
    """
    if re.match(rf"(?:--?[\w-]+=)?{_ADDRESS}", text):
        return _FIELDS_IN_ADDRESS.sub(rf"\1{MASK}", _IN_ADDRESS.sub(rf"\1{MASK}@", text))
    return _FIELDS_IN_TEXT.sub(rf"\1{MASK}", _IN_TEXT.sub(rf"\1{MASK}@", text))
