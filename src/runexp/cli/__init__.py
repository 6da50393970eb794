"""The command line: arguments and exit codes, one file a verb; nothing else. Heavy rooms are imported by the verb."""

from runexp.cli.app import main

__all__ = ["main"]
