"""`python -m benchmarks.orchestrator` is the same command line as `benchmarks`."""

from ..cli.main import main

if __name__ == "__main__":
    main()
