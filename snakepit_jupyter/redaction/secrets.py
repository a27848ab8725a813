"""Secrets in texts, known by the forms they usually have.

Every pattern reads any text in linear time: what is repeated without a bound takes all it can and gives nothing
back (`++`), and a secret without an end goes on to the end of its line or of the text. None is case-blind at its
first letter: then Python's engine skips quickly what cannot be a beginning.
"""

import functools
import re
from typing import Any

MASK = "***"
# What a mask leaves may look like a secret of another form: it is read again until nothing changes. That is hardly
# ever so, and not worth the time in a text that is longer than any message.
MOST_ROUNDS = 5
LONG = 65_536


def _glued(prefix: str) -> str:
    """A key's prefix that does not go on a word ("task-1"), but may follow an escape: a newline's, or `%3D`."""
    return rf"{prefix}(?:(?<![A-Za-z0-9]{prefix})|(?<=\\[bfnrt]{prefix})|(?<=%[0-9A-Fa-f][0-9A-Fa-f]{prefix}))"


PRIVATE_KEY = r"-----BEGIN [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]{0,60}+-----|\Z)"
# A path may hold an @ as well, so what begins as a port is no password.
IN_URL = r"(://[^\s/?#@:\"']*+:)(?!\d{1,5}/|\*\*\*)(?:[^\s/?#\"']+|[^\s@\"'*]{1,64}+)(?=@)"
HEADER = (
    r"((?:[aA](?i:uthorization)|[cC](?i:ookie))[ \t]*+[:=][ \t]*+)(?!\*\*\*)"
    r"(?:[dD](?i:igest)[ \t][^\r\n]*+|(?:[^\s\"'\\]|\\(?![nr]))(?:[^\r\n\"'\\]|\\(?![nr]))*+)"
)
BEARER = r"([bB](?i:earer)(?:[\s:=,\"'\\]|%20)++)(?!(?:tokens?|auth\w*+|in|is|of|the|scheme)(?![\w.~+/=-]))[\w.~+/=-]++"
KEYS = "|".join(
    (
        _glued("sk-") + r"[\w-]{10,}+",
        _glued("[rs]k_") + r"(?:live|test)_\w{8,}+",
        _glued("hf_") + r"[A-Za-z0-9]{20,}+",
        _glued("npm_") + r"[A-Za-z0-9]{30,}+",
        _glued("dapi") + r"[0-9a-f]{32}",
        _glued(r"SG\.") + r"[\w-]{10,}+\.[\w-]{10,}+",
        r"pypi-AgE[\w-]{16,}+",
        r"A(?:KIA|SIA|ROA|IDA)[A-Z0-9]{16}",
        r"AIza[\w-]{30,}+",
        r"ya29\.[\w.-]++",
        r"GOCSPX-[\w-]{10,}+",
        r"gh[oprsu]_[A-Za-z0-9]{16,}+",
        r"github_pat_\w{20,}+",
        r"glpat-[\w-]{16,}+",
        r"xox[a-z]-[\w-]{8,}+",
        r"xapp-[\w-]{8,}+",
        r"hooks\.slack\.com/services/[\w/]++",
        r"eyJ[\w-]{10,}+(?:\.[\w-]*+)*+",
    )
)

# The names under which secrets are kept, by their first letter. "tokens" is none: those are counted.
NAMES = {
    "a": r"(?:pi|ccess|ccount)[ _-]?key\w{0,24}+|uth(?:orization|(?<![A-Za-z][aA]uth))",
    "c": r"redentials?|ookie",
    "e": r"ncryption[ _-]?key\w{0,24}+",
    "j": r"wt",
    "l": r"icense[ _-]?key",
    "m": r"aster[ _-]?key",
    "p": r"assw(?:or)?d\w{0,24}+|ass(?:code|phrase)?|wd|rivate[ _-]?key\w{0,24}+",
    "s": r"ecret\w{0,24}+|(?:igning|sh|ubscription)[ _-]?key|(?<=[?&][sS])ig|(?<=[?&-][sS])ignature",
    "t": r"oken\d{0,4}+",
}
NAME = "|".join(f"{letter}(?i:{rest})" for first, rest in NAMES.items() for letter in (first, first.upper()))
QUOTE = r"\\{0,3}+[\"']"
OPENING = rf"(?:[BFRUbfru]{{0,2}}+(?P<quote>{QUOTE})(?!(?P=quote)))?+"
TYPE = r"(?:Any|SecretStr|(?:Optional\[)?(?:bytes|str)\]?)(?:[ \t]*\|[ \t]*None)?"
# Between name and value: in code, JSON, headers, queries and environments; in a percent-encoded query; in XML; in
# a tuple.
BETWEEN = (
    rf"(?>[ \t]*+(?::[ \t]*+{TYPE}[ \t]*+=(?!=)|!=|[:=]{{1,2}}+>?+)[ \t]*+|%3[ADad]|>(?=[^\s<>])"
    rf"|(?(named)[ \t]*+,[ \t]*+(?:value[ \t]*+=[ \t]*+)?+(?=[BFRUbfru]{{0,2}}+{QUOTE})|(?!)))"
)
# A value in quotes goes on to the same quote, escaped as often.
QUOTED = r"(?s:[^\\\"']++|(?!(?P=quote))(?:\\\\(?:\\.)?+|\\?.))++"
STRING = r"\"(?:[^\"\\]++|(?s:\\.))*+\"?|'(?:[^'\\]++|(?s:\\.))*+'?"
# Another is a call or a list, or it goes on to a blank, less what closes around it. That there is none is no secret.
TO_BLANK = r"[^\s\"'&<>]*[^\s\"'&<>,;)\]}\\]"
UNQUOTED = (
    r"(?!\*\*\*|(?:None|null|nil|undefined|[Tt]rue|[Ff]alse)(?:[\s,;)\]}&\"'<>\\]|\Z))"
    r"(?:(?i:basic|bearer|token|apikey|negotiate)[ \t]++)?+"
    rf"(?:[\w.]{{0,40}}+[(\[{{](?:[^)\]}}\"']++|{STRING})*+[)\]}}]?+(?:{TO_BLANK})?|{TO_BLANK})"
)
SECRET = rf"(?(quote){QUOTED}|{UNQUOTED})"
ASSIGNED = rf"((?:{NAME})(?P<named>{QUOTE}\]?)?+{BETWEEN}{OPENING}){SECRET}"
FLAG = rf"(-(?<![\w*-]-)-?+(?:[A-Za-z0-9]{{1,16}}+[_-]){{0,4}}?(?:{NAME})[ \t]++(?!-){OPENING}){SECRET}"
SECRET_NAME = rf"(?:{NAME})\Z"


def _after_its_name(found: re.Match[str]) -> str:
    return f"{found[1]}{MASK}"


# Keys come last: what is assigned to a name goes as a whole, whatever stands around a key in it.
STEPS: tuple[tuple[str, Any], ...] = (
    (PRIVATE_KEY, MASK),
    (IN_URL, _after_its_name),
    (HEADER, _after_its_name),
    (BEARER, _after_its_name),
    (FLAG, _after_its_name),
    (ASSIGNED, _after_its_name),
    (KEYS, MASK),
)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """At the first use: no worker and no kernel should wait for it at its start."""
    return re.compile(pattern, re.ASCII)


def masked(text: str) -> str:
    """A text with its secrets replaced by "***"; what is masked stays as it is.

    It knows tokens of well-known services, bearer tokens, authorization headers, private keys, passwords in URLs, and
    what is assigned to a name such as "api_key" or "password" in code, JSON, headers, queries, environments and flags.
    """
    for _ in range(MOST_ROUNDS if len(text) <= LONG else 1):
        before = text
        for pattern, by in STEPS:
            text = _compiled(pattern).sub(by, text)
        if text == before:
            break
    return text


def is_secret_name(name: str) -> bool:
    """Whether a secret is kept under such a name."""
    return _compiled(SECRET_NAME).search(name) is not None
