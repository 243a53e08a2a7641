"""Options that take several values in a row: `--samples a b c`, as well as `--samples a --samples b`."""

from __future__ import annotations

import click


def taking_many(*names: str) -> type[click.Command]:
    """The class of a command of which these options, declared with `multiple=True`, take several values in a row."""

    class Taking(click.Command):
        """Repeats the name of such an option before each of its values."""

        def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
            expanded: list[str] = []
            taking: str | None = None
            for argument in args:
                name, equals, _ = argument.partition("=")
                if argument.startswith("-"):
                    taking = name if name in names else None
                    if taking is None or equals:
                        expanded.append(argument)
                elif taking:
                    expanded += [taking, argument]
                else:
                    expanded.append(argument)
            return super().parse_args(ctx, expanded)

    return Taking
