"""The router's real process, with the command line's arguments, and without Prefect and the runner beside it.

A start costs a second less than whole: what is killed twenty times need not import Prefect twenty times.
"""

from modelscan.cli import main
from router_app.companions import Companions


def start_nothing(self: Companions) -> None:
    """Nothing need be stopped, either."""


if __name__ == "__main__":
    Companions.start = start_nothing  # type: ignore[method-assign]  # the one place where this is wanted
    main()
