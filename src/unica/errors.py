"""The one kind of error that is the user's to mend."""


class UnicaError(Exception):
    """Something the user can mend: its message is one clear sentence, which the CLI prints (exit code 2)."""
