"""The charts of a study, with plotly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from parsimo.studies.names import require
from parsimo.studies.profiles import performance_profiles
from parsimo.studies.tables import INSTANCE, Tables, solved_at

__all__ = ["convergence", "identification", "linear_rates", "profiles", "solver_colors"]

_COLORS = ("#1b6ca8", "#d1495b", "#2a9d6f", "#8d5aa8", "#e08e1b", "#3aa6b9", "#7a5c3e", "#5f6b7a")
_AXES = {"iterations": "iteration", "oracle calls": "oracle_calls", "seconds": "seconds"}
_FLOOR = 1e-16  # where 0, and what is below, is drawn
_POINTS = 160
_ACROSS = 3  # panels in a row
_FEW = 25  # points of a curve that are marked
_FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, sans-serif"


def solver_colors(solvers: Sequence[str]) -> dict[str, str]:
    """One colour for each solver in all charts."""
    return {name: _COLORS[i % len(_COLORS)] for i, name in enumerate(solvers)}


def convergence(tables: Tables, problem: str, colors: Mapping[str, str]) -> Any:
    """Certificate and gap of one problem against iterations, oracle calls and seconds; a row of panels for each size.

    Lines are medians over the seeds, bands reach from the smallest to the largest.
    """
    history = tables.histories[tables.histories["problem"] == problem]
    sizes = list(history["size"].unique())
    titles = [f"{what}{', ' + size if size else ''}" for size in sizes for what in ("certificate", "gap")]
    figure = _panels(len(sizes), 2, titles, 330)
    views: list[str] = []
    runs = dict(iter(history.groupby(["size", "solver"], sort=False)))
    for (row, size), (axis, column), (place, sequence) in product(
        enumerate(sizes, 1), _AXES.items(), enumerate(("certificate", "gap"), 1)
    ):
        for solver, color in colors.items():
            if (size, solver) not in runs:
                continue
            x, low, middle, high = _envelope(runs[size, solver], column, sequence)
            shown = {"visible": axis == "iterations", "legendgroup": solver}
            band = {"x": np.concatenate([x, x[::-1]]), "y": np.concatenate([high, low[::-1]])}
            figure.add_scatter(
                **band,
                **shown,
                mode="lines",
                hoverinfo="skip",
                fill="toself",
                fillcolor=_faded(color),
                line_width=0,
                showlegend=False,
                row=row,
                col=place,
            )
            first = row == 1 and place == 1
            figure.add_scatter(
                x=x,
                y=middle,
                **shown,
                mode="lines+markers" if x.size <= _FEW else "lines",
                marker_size=5,
                name=solver,
                line={"color": color, "width": 2.2},
                showlegend=first,
                row=row,
                col=place,
            )
            views += [axis, axis]
    figure.update_xaxes(type="log", exponentformat="power", dtick=1)
    figure.update_yaxes(type="log", exponentformat="power", nticks=8)
    buttons = [
        {"label": axis, "method": "update", "args": [{"visible": [view == axis for view in views]}]} for axis in _AXES
    ]
    scales = [
        {"label": scale, "method": "relayout", "args": [_every_x(figure, "type", scale)]} for scale in ("log", "linear")
    ]
    _menus(figure, buttons, scales)
    return figure


def profiles(tables: Tables, tolerance: float, colors: Mapping[str, str]) -> Any:
    """Performance profiles: by certificate and by gap, in iterations, oracle calls and seconds."""
    titles = [f"{what}, {axis}" for what in ("certificate", "gap") for axis in _AXES]
    figure = _panels(2, 3, titles, 290)
    taken = _taken(tables, tolerance)
    problems = list(tables.results["problem"].unique())
    groups = {"all problems": problems, **{name: [name] for name in problems}} if len(problems) > 1 else {"": problems}
    views: list[str] = []
    for (group, members), (row, rule), (column, axis) in product(
        groups.items(), enumerate(("certificate", "gap"), 1), enumerate(_AXES, 1)
    ):
        costs = {
            solver: np.array([cost for problem in members for cost in taken[rule, axis][problem][solver]])
            for solver in colors
            if all(solver in taken[rule, axis][problem] for problem in members)
        }
        if not costs:
            continue
        end = 1.0
        curves = performance_profiles(costs)
        for curve in curves.values():
            end = max(end, float(curve.ratios[-1]))
        for solver, curve in curves.items():
            x, y = np.append(curve.ratios, 1.15 * end), np.append(curve.shares, curve.shares[-1])
            figure.add_scatter(
                x=x,
                y=y,
                name=solver,
                legendgroup=solver,
                mode="lines",
                line={"color": colors[solver], "shape": "hv", "width": 2.2},
                visible=group == next(iter(groups)),
                showlegend=row == column == 1,
                row=row,
                col=column,
            )
            views.append(group)
    figure.update_xaxes(type="log", dtick=1)
    figure.update_xaxes(title_text="factor of the best", row=2)
    figure.update_yaxes(range=[-0.03, 1.03], tickformat=".0%")
    if len(groups) > 1:
        shown = {group: [view == group for view in views] for group in groups}
        _menus(figure, [{"label": g, "method": "update", "args": [{"visible": v}]} for g, v in shown.items()])
    return figure


def linear_rates(tables: Tables, colors: Mapping[str, str]) -> Any | None:
    """Digits of the certificate won in 100 iterations, where it falls linearly, with intervals; None if nowhere."""
    rates = tables.rates
    linear = rates[(rates["regime"] == "linear") & (rates["sequence"] == "certificate")]
    if linear.empty:
        return None
    problems = list(linear["problem"].unique())
    figure = _wrapped(problems, len(colors))
    for place, problem in zip(_places(problems), problems, strict=True):
        for solver, color in colors.items():
            some = linear[(linear["problem"] == problem) & (linear["solver"] == solver)]
            digits, low, high = (-100 * np.log10(some[name].to_numpy(float)) for name in ("value", "high", "low"))
            figure.add_scatter(
                x=digits,
                y=[solver] * len(some),
                mode="markers",
                marker={"color": color, "size": 9, "line": {"color": "white", "width": 1}},
                error_x={
                    "array": high - digits,
                    "arrayminus": np.minimum(digits - low, digits * 0.999),
                    "color": color,
                },
                text=[f"{size}, seed {seed}" for size, seed in zip(some["size"], some["seed"], strict=True)],
                hovertemplate="%{text}<br>%{x:.3g} digits<extra></extra>",
                showlegend=False,
                **place,
            )
    digits = -100 * np.log10(linear["value"].to_numpy(float))
    _decades(figure, digits)
    figure.update_yaxes(categoryorder="array", categoryarray=list(colors)[::-1])
    return figure


def identification(tables: Tables, colors: Mapping[str, str]) -> Any:
    """From which iteration on the support is the last one, as the start of a bar that ends with the run."""
    results = tables.results[tables.results["identification"].notna()]
    problems = list(results["problem"].unique())
    figure = _wrapped(problems, len(colors))
    for place, problem in zip(_places(problems), problems, strict=True):
        for solver, color in colors.items():
            some = results[(results["problem"] == problem) & (results["solver"] == solver)]
            spread = np.linspace(-0.22, 0.22, len(some)) if len(some) > 1 else np.zeros(len(some))
            level = list(colors)[::-1].index(solver)
            for offset, (_, cell) in zip(spread, some.iterrows(), strict=True):
                begin, end = max(cell["identification"], 1), max(cell["iterations"], 1)
                figure.add_scatter(
                    x=[begin, end],
                    y=[level + offset] * 2,
                    mode="lines+markers",
                    line={"color": _faded(color, 0.45), "width": 3},
                    marker={"color": [color, _faded(color, 0.45)], "size": [9, 4]},
                    text=[f"{cell['size']}, seed {cell['seed']}"] * 2,
                    hovertemplate="%{text}<br>%{x} iterations<extra></extra>",
                    showlegend=False,
                    **place,
                )
    _decades(figure, np.append(results["iterations"].to_numpy(float), 1.0))
    figure.update_yaxes(
        tickvals=list(range(len(colors))), ticktext=list(colors)[::-1], range=[-0.6, len(colors) - 0.4], showgrid=False
    )
    return figure


def _envelope(runs: Any, column: str, sequence: str) -> tuple[np.ndarray, ...]:
    """Smallest, median and largest of a sequence over the seeds, each run held at its last value."""
    curves = []
    for _, run in runs.groupby("seed", sort=False):
        known = run[np.isfinite(run[sequence])]
        if len(known):
            curves.append((known[column].to_numpy(float), np.maximum(known[sequence].to_numpy(float), _FLOOR)))
    least = 1.0 if column != "seconds" else max(min(x[min(1, len(x) - 1)] for x, _ in curves), 1e-6)
    most = max(max(x[-1] for x, _ in curves), least * 1.001)
    grid = np.geomspace(least, most, _POINTS)
    if column != "seconds":
        grid = np.unique(np.round(grid))
    held = np.array([y[np.maximum(np.searchsorted(x, grid, side="right") - 1, 0)] for x, y in curves])
    return grid, held.min(axis=0), np.median(held, axis=0), held.max(axis=0)


def _taken(tables: Tables, tolerance: float) -> dict[tuple[str, str], dict[str, dict[str, list[float]]]]:
    """For each rule, axis, problem and solver, what each instance took, in one order; NaN where it was not solved."""
    best = tables.results.groupby(INSTANCE)["best_known"].first()
    taken: dict[tuple[str, str], dict[str, dict[str, list[float]]]] = {}
    runs = dict(iter(tables.histories.groupby([*INSTANCE, "solver"], sort=False)))
    for key, cell in tables.results.set_index([*INSTANCE, "solver"]).iterrows():
        run = runs.get(key)
        for rule in ("certificate", "gap"):
            cost = dict.fromkeys(("iterations", "oracle_calls", "seconds"), float("nan"))
            if run is not None:
                start = cell["start_certificate"] if rule == "certificate" else cell["start_objective"] - best[key[:3]]
                cost = dict(solved_at(run, rule, tolerance * start))
            for axis in _AXES:
                value = cost[axis.replace(" ", "_")]
                at_least = max(value, 1e-6 if axis == "seconds" else 1.0)  # solved at the start
                problem = taken.setdefault((rule, axis), {}).setdefault(key[0], {})
                problem.setdefault(key[3], []).append(at_least)
    return taken


def _wrapped(titles: Sequence[str], lines: int) -> Any:
    """A panel for each problem, in rows of three, with a line for each solver."""
    columns = min(max(len(titles), 1), _ACROSS)
    return _panels(-(-max(len(titles), 1) // columns), columns, titles, 60 + 38 * lines, one_axis=True)


def _places(titles: Sequence[str]) -> list[dict[str, int]]:
    return [{"row": 1 + i // _ACROSS, "col": 1 + i % _ACROSS} for i in range(len(titles))]


def _decades(figure: Any, values: np.ndarray) -> None:
    """One logarithmic axis for all panels, from decade to decade."""
    positive = np.log10(np.maximum(values, 1e-12))
    span = [float(np.floor(positive.min())) - 0.1, float(np.ceil(positive.max())) + 0.1]
    figure.update_xaxes(type="log", range=span, dtick=1, exponentformat="power")


def _panels(rows: int, columns: int, titles: Sequence[str], height: int, one_axis: bool = False) -> Any:
    figure = require("plotly.subplots").make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=titles,
        horizontal_spacing=(0.06 if one_axis else 0.2) / columns,
        vertical_spacing=0.3 / rows,
        shared_yaxes=one_axis,
    )
    figure.update_layout(
        template="plotly_white",
        height=height * rows + 100,
        margin={"l": 10, "r": 10, "t": 30, "b": 70},
        font={"family": _FONT, "size": 13, "color": "#26323f"},
        legend={"orientation": "h", "y": 0.0, "yanchor": "bottom", "x": 0.5, "xanchor": "center", "yref": "container"},
        hoverlabel={"font_family": _FONT},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    axis = {"showline": True, "linecolor": "#c5ccd3", "gridcolor": "#edf0f3", "automargin": True}
    axis |= {"tickfont": {"size": 12}, "title_font": {"size": 13}, "title_standoff": 6}
    figure.update_xaxes(**axis, ticks="outside", tickcolor="#c5ccd3")
    figure.update_yaxes(**axis, zeroline=False)
    figure.update_annotations(font_size=13)
    return figure


def _menus(figure: Any, *groups: Sequence[Mapping[str, Any]]) -> None:
    """Rows of buttons above the panels: one at the left, the next at the right."""
    style = {"type": "buttons", "direction": "right", "yanchor": "bottom", "showactive": True, "font": {"size": 12}}
    looks = {"bgcolor": "#ffffff", "bordercolor": "#c5ccd3", "pad": {"t": 0, "b": 8, "l": 0, "r": 0}}
    figure.update_layout(margin_t=84, height=figure.layout.height + 54)
    above = 1 + 24 / (figure.layout.height - figure.layout.margin.t - figure.layout.margin.b)
    places = ({"x": 0.0, "xanchor": "left"}, {"x": 1.0, "xanchor": "right"})
    menus = [
        {**style, **looks, **place, "y": above, "buttons": list(buttons)}
        for place, buttons in zip(places, groups, strict=False)
    ]
    figure.update_layout(updatemenus=menus)


def _every_x(figure: Any, name: str, value: str) -> dict[str, str]:
    return {f"{axis}.{name}": value for axis in figure.layout if str(axis).startswith("xaxis")}


def _faded(color: str, strength: float = 0.13) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{strength})"
