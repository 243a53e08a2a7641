"""Functions that a manifest's expressions may call besides those of JMESPath."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def search_options() -> Any:
    """Options for a JMESPath search. `inspect_headline(log)` is the score of an Inspect log, with what belongs to it.

    Which metric that is takes more than a path: the log names it, and a measure of spread is not a score.
    """
    import jmespath
    import jmespath.functions

    from .suites.inspect_ai.scores import summary

    class Functions(jmespath.functions.Functions):
        @jmespath.functions.signature({"types": ["object"]})
        def _func_inspect_headline(self, log: Any) -> Any:
            return summary(log)

    return jmespath.Options(custom_functions=Functions())
