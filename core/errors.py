"""The error tree: *temporary* errors are worth another try, *permanent* ones are not."""


class AnjuError(Exception):
    """Root of every error Anju raises on purpose; its text says what, where and what was expected."""


class TemporaryError(AnjuError):
    """The same call may succeed later: retry with capped, jittered backoff."""


class PermanentError(AnjuError):
    """Repeating the same call cannot succeed."""


class MalformedPoints(PermanentError):
    """A telemetry store refused a batch because of what it holds: split it to find the bad point."""


class CorruptJournal(PermanentError):
    """The journal file is damaged; the text names the file and the way out."""


class WrongJournalKey(PermanentError):
    """The journal is sound, but sealed with another key than the one at hand."""


class Fenced(PermanentError):
    """Another alert engine has committed past this one: two of them are running on the same records."""


class StartupError(PermanentError):
    """Anju cannot start as configured; the text is one line for a person."""


class Conflict(PermanentError):
    """What is asked cannot be done to the thing as it stands now; the text says how it stands and what was expected."""


class Stale(PermanentError):
    """What was read has changed meanwhile: read again and decide again."""
