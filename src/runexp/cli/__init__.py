"""The command line: arguments and exit codes, one file a verb; nothing else. Heavy rooms are imported by the verb."""

import gc


def main() -> None:
    """Run the command line of this process."""
    gc.disable()  # while it is loaded: nothing of that is rubbish, and looking for some takes a tenth of the start
    from runexp.cli.start import run_command

    run_command()


__all__ = ["main"]
