"""`python -m benchmarks.orchestrator` is the command line, as `benchmarks` is."""

from ..cli.main import main

if __name__ == "__main__":
    main()
