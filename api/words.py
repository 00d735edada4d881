"""Text that people send: trimmed, never empty, and such that every database can hold it."""

from typing import Annotated

from pydantic import AfterValidator, Field

COMMENT_LIMIT = 2_000
NAME_LIMIT = 64


def worded(text: str) -> str:
    """Return ``text`` without space around it; raises `ValueError` where no words remain."""
    if "\0" in text:  # PostgreSQL's text type cannot hold it.
        raise ValueError("a NUL character: expected text")
    if not (stripped := text.strip()):
        raise ValueError("no words: expected text")
    return stripped


Words = Annotated[str, Field(min_length=1, max_length=COMMENT_LIMIT), AfterValidator(worded)]
"""What somebody says."""

PersonName = Annotated[str, Field(pattern=rf"^[^\x00-\x1f\x7f]{{1,{NAME_LIMIT}}}$"), AfterValidator(worded)]
"""Names a person: the name of a token, or of a person of the rota."""
