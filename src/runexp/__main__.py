"""`python -m runexp`."""

from runexp.cli import main

if __name__ == "__main__":
    main()
