"""`python -m uploader` is the command `nanoferry`, for environments without scripts on the path."""

from uploader.cli.main import main

main()
