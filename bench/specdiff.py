"""Are two outputs the same by specdiff's rules?

  abstol    numbers may differ by this much
  reltol    numbers may differ by this fraction of the expected one
  compwhite white space counts; without it runs of blanks are one
  skiptol   so many differing tokens in the file are let pass
  obiwan    a number may be off by one unit of its last place as it is printed
  cw        ignore case
  binary    bytes, no tokens

A token that is a number on both sides passes when abstol or reltol lets it, as in specdiff: each one that is given must let it unless the other does.
"""

import math
import re

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?\Z")


def number(token):
    return float(token.replace("d", "e").replace("D", "e")) if NUMBER.match(token) else None


def last_place(token):
    """The value of one unit in the last printed place."""
    mantissa, _, exponent = re.sub("[dD]", "e", token).lower().partition("e")
    places = len(mantissa.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - places)


def close(expected, actual, rules):
    a, b = number(expected), number(actual)
    if a is None or b is None or math.isinf(a) or math.isinf(b):
        return False
    difference = abs(a - b)
    if "abstol" in rules and difference <= rules["abstol"]:
        return True
    if "reltol" in rules and difference <= abs(a) * rules["reltol"]:
        return True
    return bool(rules.get("obiwan")) and difference <= last_place(expected) * (1 + 1e-9)


def tokens(line, rules):
    if rules.get("cw"):
        line = line.lower()
    return re.findall(r"\s+|\S+", line) if rules.get("compwhite") else line.split()


def compare(expected, actual, rules):
    """The first difference as text, or None."""
    if rules.get("binary"):
        return None if expected == actual else f"{len(actual)} bytes that are not the {len(expected)} expected"
    left, right = expected.decode("latin-1").splitlines(), actual.decode("latin-1").splitlines()
    spare = rules.get("skiptol", 0)
    for n, (a, b) in enumerate(zip(left, right), 1):
        x, y = tokens(a, rules), tokens(b, rules)
        if len(x) != len(y):
            return f"line {n}: {b!r} instead of {a!r}"
        for p, q in zip(x, y):
            if p == q or close(p, q, rules):
                continue
            if spare == 0:
                return f"line {n}: {q!r} instead of {p!r}"
            spare -= 1
    if len(left) != len(right):
        return f"{len(right)} lines instead of {len(left)}"
    return None
