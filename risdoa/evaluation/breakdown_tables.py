"""What a comparison says by range, and of scenes whose number of sources is unknown."""

from __future__ import annotations

from risdoa.evaluation.comparison import Cell, Comparison
from risdoa.evaluation.metrics import Rate, Summary
from risdoa.evaluation.tables import Table, broken, digits, models_line, ratio

RANGE_HEADERS = ("ranges and methods", "az °", "el °", "r m", "efficiency", "resolved % (95 %)")
RANGE_LEGEND = (
    "az, el, r: RMSE of the resolved sources, of all that were found, and the median error. "
    "Resolved: no outlier, and nearer than half way to every other source; on top the scenes with "
    "every source resolved, below the sources of each range."
)
GOSPA_HEADERS = ("method", "SNR dB", "GOSPA", "localisation", "missed", "false", "right K %")
GOSPA_LEGEND = (
    "GOSPA, p = 2, in -3 dB half-widths of the array: the root of the mean over scenes of its "
    "three parts. Every missed source and every false estimate is worth c²/2."
)


def range_tables(comparison: Comparison, scenario: str) -> list[Table]:
    """Return one table for each number of sources: for every SNR all ranges, then bin by bin."""
    return [_range_table(comparison, scenario, sources) for sources in _counts(comparison)]


def gospa_tables(comparison: Comparison, scenario: str) -> list[Table]:
    """Return one table for each number of sources."""
    tables = []
    for sources in _counts(comparison):
        cells = [cell for cell in comparison.cells if cell.sources == sources]
        head = f"{scenario}, K = {sources}, {comparison.trials} trials"
        title = f"{head}, GOSPA with c = {cells[0].gospa['cutoff']:g} half-widths"
        tables.append(Table(title, GOSPA_HEADERS, [_gospa_line(cell) for cell in cells]))
    return tables


def _counts(comparison: Comparison) -> list[int]:
    return list(dict.fromkeys(floor.sources for floor in comparison.floors))


def _range_table(comparison: Comparison, scenario: str, sources: int) -> Table:
    lines: list[list[str | None]] = []
    for snr_db in dict.fromkeys(floor.snr_db for floor in comparison.floors):
        cells = [c for c in comparison.cells if (c.sources, c.snr_db) == (sources, snr_db)]
        lines.append(_head(f"{snr_db:g} dB, scenes"))
        for cell in cells:
            lines += _block(cell.method, cell.summary, cell.summary.resolved_scenes)
        for number, each in enumerate(cells[0].bins):
            lines.append(_head(f"{each.low:.3g}-{each.high:.3g} m, {each.summary.sources}"))
            for cell in cells:
                summary = cell.bins[number].summary
                lines += _block(cell.method, summary, summary.resolved)
    title = f"{scenario}, K = {sources}, {comparison.trials} trials\n{models_line(comparison)}"
    return Table(title, RANGE_HEADERS, lines)


def _head(text: str) -> list[str | None]:
    return [text, *[None] * (len(RANGE_HEADERS) - 1)]


def _block(label: str, summary: Summary, resolved: Rate) -> list[list[str | None]]:
    """Return the lines of one method: of the resolved sources, of all found, and the medians."""
    axes = summary.deviations[:3]
    share = f"{100 * resolved.share:.1f} ({100 * resolved.low:.1f}-{100 * resolved.high:.1f})"
    efficiency = " ".join(ratio(each) for each in summary.efficiencies())
    return [
        [broken(label), *(digits(each.rmse_resolved) for each in axes), efficiency, share],
        ["  all found", *(digits(each.rmse) for each in axes), None, None],
        ["  median", *(digits(each.median) for each in axes), None, None],
    ]


def _gospa_line(cell: Cell) -> list[str | None]:
    parts = (digits(cell.gospa[name]) for name in ("gospa", "localisation", "missed", "false"))
    right = f"{100 * cell.gospa['right_number']:.1f}"
    return [broken(cell.method), f"{cell.snr_db:g}", *parts, right]
