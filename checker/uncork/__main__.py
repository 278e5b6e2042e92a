"""`python -m uncork` is `uncork`. A signal ends it quietly from the start, even during imports."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Runs the command line and ends the process; at once if abandoned work is still running."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # uncork does not use numpy's threads
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    from uncork import cli

    try:
        cli.main(forks=True)
    except SystemExit as ended:
        patience = sys.modules.get("uncork.decide.patience")  # not imported: no work was abandoned
        if patience and patience.given_up:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ended.code if isinstance(ended.code, int) else 1)
        raise


def _end(number: int, _: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(128 + number)


if __name__ == "__main__":
    main()
