"""Texts and files that are no rules and no plans: what a power cut, an editor or an attacker may leave behind."""

import base64

RULE = """\
version: 1
rules:
  - id: shed-hot
    kind: thermal
    severity: critical
    title: {zh: 高温, en: Hot}
    next_step: {zh: 查看, en: Look}
    condition: {kind: threshold, signal: maximum_celsius, above: 70, clear: 60}
"""
ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
)

# Text that no YAML file may hold, or whose tag does not fit; the line on which it stands.
UNREADABLE: dict[str, tuple[str, int]] = {
    "a control character": (RULE.replace("Hot", "H\x07ot"), 6),
    "an escape sequence": (RULE.replace("Hot", "H\x1b[31mot"), 6),
    "a delete character": (RULE.replace("Look", "L\x7fook"), 7),
    "a C1 control character": (RULE.replace("Look", "L\x9book"), 7),
    "one NUL": (RULE.replace("critical", "crit\0ical"), 5),
    "NULs to the end": (RULE[:60] + "\0" * 400, 5),
    "NULs alone": ("\0" * 4096, 1),
    "a noncharacter": (RULE.replace("Hot", "\uffff"), 6),
    "a control character as an escape": (RULE.replace("en: Hot", 'en: "\\a"'), 6),
    "a NUL as an escape": (RULE.replace("en: Hot", 'en: "\\0"'), 6),
    "half a surrogate pair as an escape": (RULE.replace("en: Hot", 'en: "\\ud800"'), 6),
    "half a surrogate pair in a key": (RULE.replace("en: Hot", '"\\udfff": Hot'), 6),
    "a character beyond Unicode": (RULE.replace("en: Hot", 'en: "\\U00110000"'), 6),
    "!!timestamp of a text": (RULE.replace("70", '!!timestamp "x"'), 8),
    "!!timestamp of nothing": (RULE.replace("70", '!!timestamp ""'), 8),
    "!!bool of a text": (RULE.replace("70", "!!bool x"), 8),
    "!!int of nothing": (RULE.replace("70", '!!int ""'), 8),
    "!!float of a sign": (RULE.replace("70", '!!float "-"'), 8),
    "!!null of a text": (RULE.replace("70", "!!null x"), 8),
    "!!binary": (RULE.replace("70", f"!!binary {base64.b64encode(b'x').decode()}"), 8),
    "!!binary of no base64": (RULE.replace("70", '!!binary "\u00e9"'), 8),
    "a tag by its whole name": (RULE.replace("70", '!<tag:yaml.org,2002:timestamp> "x"'), 8),
    "a version of 5,000 digits": (f"%YAML 1.{'9' * 5000}\n---\n{RULE}", 1),
}

# Text that is refused in the usual way.
REFUSED: dict[str, str] = {
    "nothing": "",
    "a comment": "# nothing\n",
    "two documents": f"{RULE}---\n{RULE}",
    "!!python/object of a text": RULE.replace("70", '!!python/object:os.system "x"'),
    "!!python/object of a mapping": RULE.replace("70", "!!python/object/apply:os.system {a: b}"),
    "!!python/name": RULE.replace("70", "!!python/name:os.system"),
    "an integer of 5,000 digits": RULE.replace("70", "9" * 5_000),
    "an integer of 4,000 digits": RULE.replace("70", "9" * 4_000),
    "a hexadecimal integer of 20,000 digits": RULE.replace("70", "0x" + "f" * 20_000),
    "hours without end": RULE.replace("70", "1" + ":59" * 5_000 + ".5"),
    "a number without digits": RULE.replace("70", "0x_"),
    "no number": RULE.replace("70", ".nan"),
    "infinite": RULE.replace("70", "-.inf"),
    "a date": RULE.replace("70", "2026-01-05"),
    "a date that does not exist": RULE.replace("70", "2026-02-30"),
    "an instant before the first": RULE.replace("70", "0001-01-01T00:00:00+14:00"),
    "an offset of four days": RULE.replace("70", "2026-01-05T00:00:00-99:99"),
    "an alias bomb": ALIASES + RULE,
    "an alias bomb as a key": ALIASES + "? *a11\n: x\n" + RULE,
    "an alias to itself": "version: &a [*a]\n" + RULE.removeprefix("version: 1\n"),
    "an alias as a key": "? &a [*a]\n: x\n",
    "a list as a key": RULE.replace("en: Hot", "? [en] : Hot"),
    "lists in lists": RULE.replace("70", "[" * 10_000),
    "lists in lists, closed": RULE.replace("70", "[" * 200 + "]" * 200),
    "mappings in mappings": RULE.replace("70", "{a: " * 10_000),
    "dashes in dashes": "- " * 10_000,
    "a merge": RULE.replace("70", "<<"),
    "an equals sign": RULE.replace("70", "="),
    "a key with a path in it": RULE.replace("en: Hot", '"a.b[0]": Hot, "$": x, "`": y, "": z'),
    "a long text": RULE.replace("critical", "x" * 100_000),
    "half a file": RULE[: len(RULE) // 2],
    "HTML": "<!doctype html>\n<html><body>502 Bad Gateway</body></html>\n",
    "the marks of a merge": RULE.replace("    severity", "<<<<<<< HEAD\n    severity"),
}

# Bytes that are no text; the line on which the first of them stands.
NO_TEXT: dict[str, tuple[bytes, int]] = {
    "UTF-16, little end first": (b"\xff\xfe" + RULE.encode("utf-16-le"), 1),
    "UTF-16, big end first": (b"\xfe\xff" + RULE.encode("utf-16-be"), 1),
    "half a surrogate pair": (RULE.encode().replace(b"Hot", b"\xed\xa0\x80"), 6),
    "half a character": (RULE.encode()[: RULE.encode().index("温".encode()) + 1], 6),
    "Latin-1": (RULE.encode().replace(b"Look", b"\xe9"), 7),
    "GBK": (RULE.encode("gbk"), 6),
    "a program": (b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 4, 2),
    "compressed": (b"\x1f\x8b\x08\x00\xff\xff\xff", 1),
}
