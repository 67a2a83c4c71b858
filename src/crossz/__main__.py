"""`python -m crossz`, where the command is not installed."""

from crossz.apply.cli import main

if __name__ == "__main__":
    main()
