"""The root of all errors, and what is wrong with a setting."""

from typing import ClassVar


class ReconcilerError(Exception):
    """Reconciler could not do what was asked."""

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str = "", *, hint: str = "", **facts: object) -> None:
        self.message = message or (self.__doc__ or "").strip()
        self.hint = hint or self.default_hint
        self.facts = facts
        super().__init__(self.message)


class SettingsError(ReconcilerError):
    """A setting is missing or wrong."""
