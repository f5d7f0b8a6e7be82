"""`python -m unica` is `unica`."""

from unica.cli import main

main()
