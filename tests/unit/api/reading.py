"""What somebody reads on a page who has no scripts."""

from html.parser import HTMLParser

_VOID = {"meta", "link", "input", "br"}
_UNREAD = {"script", "style", "noscript", "title"}


class _Reader(HTMLParser):
    """Collects the text that is not hidden, nor in the other language."""

    def __init__(self, other: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self._other = other
        self._open: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            known = dict(attrs)
            unread = tag in _UNREAD or "hidden" in known or (tag == "span" and known.get("lang") == self._other)
            self._open.append(unread)

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open):
            self.text.append(data)


def seen(page: str, other: str = "en") -> str:
    """Return the visible text of a document without what is in the ``other`` language; spaces are one."""
    reader = _Reader(other)
    reader.feed(page)
    return " ".join("".join(reader.text).split())
