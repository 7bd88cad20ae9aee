"""`python -m modelscan` is `modelscan`."""

from modelscan.cli import main

if __name__ == "__main__":
    main()
