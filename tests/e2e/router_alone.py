"""The router's real process, with the command line's arguments, and without Prefect and the runner beside it.

A start costs a second less than whole: what is killed twenty times need not import Prefect twenty times.
"""

from modelscan.cli import main
from router_app.companions import Companions

if __name__ == "__main__":
    Companions.start = lambda _: None  # type: ignore[method-assign]  # nothing is started, and nothing need be stopped
    main()
