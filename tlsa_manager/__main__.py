"""The door: `tlsa-manager` and `python -m tlsa_manager`."""

import sys

from tlsa_manager import __version__


def main() -> int:
    """Obey the command line and return the exit code. `--version` alone is answered before anything is imported."""
    words = sys.argv[1:]
    if words == ["--version"]:
        sys.stdout.write(f"tlsa-manager {__version__}\n")
        return 0
    from tlsa_manager.cli.ending import run

    return run(words)


if __name__ == "__main__":
    sys.exit(main())
