"""Commands that drop nothing: an option given twice is an error unless it may be; a misspelt command gets a hint."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from typing import Final

import click

_NEGATIVE: Final = re.compile(r"-[0-9.]")


class StrictCommand(click.Command):
    """Refuses an option that is repeated and may not be; click alone takes the last one and drops the others."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click, after the count.

        Raises:
            click.UsageError: a repeated option, or a negative number.
        """
        try:
            _values, _rest, given = self.make_parser(ctx).parse_args(list(args))
        except click.NoSuchOption as error:
            if _NEGATIVE.match(error.option_name):
                text = f"{error.option_name}…: a number here must not be negative"
                raise click.UsageError(text, ctx) from None
            raise
        for param, count in Counter(given).items():
            if isinstance(param, click.Option) and count > 1 and not (param.multiple or param.count):
                text = f"{param.opts[0]} is given {count} times, and only one could count; give it once"
                raise click.UsageError(text, ctx)
        return super().parse_args(ctx, args)


class StrictGroup(click.Group):
    """A group of such commands."""

    command_class = StrictCommand
    group_class = type

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, with the names that look alike when there is none of this name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=2)
            hint = f" Did you mean {' or '.join(near)}?" if near else f" See `{ctx.command_path} --help`."
            raise click.UsageError(error.message + hint, ctx) from None
