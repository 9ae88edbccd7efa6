"""`python -m parsimo` is the `parsimo` command."""

from parsimo.cli import main

main()
