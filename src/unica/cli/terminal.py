"""What reaches the terminal. Control characters in names are spelled out, so that no file can command a terminal."""

import sys


def say(text: str) -> None:
    """Print lines on stdout."""
    print("\n".join(map(plain, text.split("\n"))))


def complain(sentence: str) -> None:
    """Print a sentence on stderr, in one line."""
    print(f"unica: {plain(sentence).rstrip('.')}.", file=sys.stderr)


def plain(text: str) -> str:
    """The text in one line, with whatever cannot be printed spelled out."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
