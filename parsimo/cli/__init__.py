"""The command line: parsimo demo, prune, quantize, solve, check, study."""

from __future__ import annotations

try:
    import typer
except ImportError as error:
    raise ImportError('the command line needs typer and rich: pip install "parsimo[all]"') from error

from parsimo.cli import checks, networks, studies, tables

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Sparse and quantized models by exact penalties, with certificates.",
)
app.command()(networks.demo)
app.command()(networks.prune)
app.command()(networks.quantize)
app.command()(tables.solve)
app.command("check")(checks.check_command)
app.command("study")(studies.study_command)


def main() -> None:
    """The entry point of the `parsimo` command."""
    app()
