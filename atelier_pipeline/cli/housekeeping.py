"""`atelier redecode`, `atelier compact`, `atelier prune`: keeping a lake in order."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from atelier_pipeline.housekeeping.compact import Compacted
    from atelier_pipeline.housekeeping.days import DayFolder
    from atelier_pipeline.housekeeping.prune import Judged
    from atelier_pipeline.housekeeping.redecode import FileDifference
    from atelier_pipeline.housekeeping.selection import Selection

Exchange = Annotated[str | None, typer.Option(help="Only this exchange.")]
Collector = Annotated[str | None, typer.Option(help="Only this collector.")]
Symbol = Annotated[str | None, typer.Option(help="Only this symbol.")]
First = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first UTC day.")
]
Last = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last UTC day, included.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]

MIB = 1 << 20
MOST_REASONS = 20

Item = TypeVar("Item")


def redecode(  # noqa: PLR0913, PLR0917 - an option of a command is an argument
    lake: Annotated[
        Path | None, typer.Option(help="The lake; default: ATELIER_LAKE.", show_default=False)
    ] = None,
    exchange: Exchange = None,
    collector: Collector = None,
    symbol: Symbol = None,
    first: First = None,
    last: Last = None,
    rows: Annotated[int, typer.Option(min=0, help="Most rows shown of each file.")] = 10,
    write: Annotated[
        bool, typer.Option("--write", help="Replace the raw files of windows that differ.")
    ] = False,
) -> None:
    """Raw files again from frames, and every difference; exit code 1 if there is any."""
    from atelier_pipeline.errors import AtelierError, SettingsError
    from atelier_pipeline.housekeeping.redecode import redecode as run
    from atelier_pipeline.housekeeping.redecode import windows_with_frames
    from atelier_pipeline.settings import load_settings

    if write and symbol is not None:
        raise SettingsError("--write replaces whole windows: leave out --symbol")
    settings = load_settings()
    if lake is not None:
        settings = settings.model_copy(update={"lake": lake.absolute()})
    chosen = _selection(exchange, collector, symbol, first, last)
    same, different, failed = 0, 0, 0
    windows = windows_with_frames(settings.lake, settings.journal, chosen)
    for frames in _progress(windows, "decoding"):
        try:
            done = run(frames, settings, symbol=symbol, write=write, sample_rows=rows)
        except AtelierError as error:
            failed += 1
            _say(f"{frames}: {error}")
            continue
        same, different = same + done.same, different + len(done.differences)
        _tell_differences(done.differences)
    replaced = (
        " and were replaced; what is derived from them was not" if write and different else ""
    )
    typer.echo(
        f"{len(windows):,} windows: {same:,} raw files are the same, {different:,} differ{replaced}"
    )
    if failed or (different and not write):
        raise typer.Exit(1)


def compact(
    exchange: Exchange = None,
    symbol: Symbol = None,
    first: First = None,
    last: Last = None,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Also days with windows without aggregates.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Give the windows of compacted days their files back.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Closed days into one file per dataset and symbol, proved equal before the pieces go."""
    import time

    from atelier_pipeline.housekeeping import compact as run
    from atelier_pipeline.housekeeping.leftovers import remove_leftover
    from atelier_pipeline.housekeeping.turns import one_at_a_time
    from atelier_pipeline.settings import load_settings

    settings = load_settings()
    chosen = _selection(exchange, None, symbol, first, last)
    with one_at_a_time(settings.lake):
        if undo:
            plan = run.Plan(tuple(run.days_to_expand(settings.lake, chosen)), ())
        else:
            plan = run.days_to_compact(
                settings.lake, settings.journal, time.time_ns(), chosen, incomplete=incomplete
            )
        _tell_reasons("stays in pieces", (reason for _, reason in plan.left))
        if dry_run:
            _tell_days(plan.days)
            return
        for left in run.staged_folders(settings.lake):
            remove_leftover(left)
        _rebuild(plan.days, undo=undo)


def prune(
    frames_days: Annotated[
        int | None,
        typer.Option(min=1, help="Remove frames of windows that ended so many days ago."),
    ] = None,
    journals: Annotated[
        bool, typer.Option("--journals", help="Remove journals whose frames are sealed and equal.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Old frames, sealed journals, and what dead processes left; exit code 1 if a proof fails."""
    import time

    from atelier_pipeline.housekeeping.prune import Retention, Verdict
    from atelier_pipeline.housekeeping.turns import one_at_a_time
    from atelier_pipeline.settings import load_settings

    settings = load_settings()
    retention = Retention(
        settings=settings, now_ns=time.time_ns(), frames_days=frames_days, journals=journals
    )
    act = retention.judge if dry_run else retention.prune
    with one_at_a_time(settings.lake):
        judged = [act(each) for each in _progress(retention.candidates(), "proving")]
    _tell_judged(judged, dry_run=dry_run)
    if any(each.verdict is Verdict.UNPROVED for each in judged):
        raise typer.Exit(1)


def _selection(
    exchange: str | None,
    collector: str | None,
    symbol: str | None,
    first: datetime | None,
    last: datetime | None,
) -> "Selection":
    from atelier_pipeline.housekeeping.selection import Selection

    return Selection(
        exchange=exchange,
        collector=collector,
        symbol=symbol,
        first_day=first.date() if first else None,
        last_day=last.date() if last else None,
    )


def _progress(items: Sequence[Item], what: str) -> Iterable[Item]:
    from rich.console import Console
    from rich.progress import track

    return track(items, what, console=Console(stderr=True), transient=True)


def _say(line: str) -> None:
    """A line as it is: no markup, no colours, not cut."""
    from rich.console import Console

    Console().print(line, highlight=False, markup=False, soft_wrap=True)


def _tell_differences(found: "Sequence[FileDifference]") -> None:
    for each in found:
        _say(f"{each.path}: {each}")
        for row in each.rows.sample.to_pylist():
            before, after = row["old"], row["new"]
            values = (
                before if after is None else after if before is None else f"{before} -> {after}"
            )
            place = row["old_row"] if after is None else row["new_row"]
            _say(f"  {row['kind']} row {place}: {row['row']}: {values}")


def _tell_days(days: "Sequence[DayFolder]") -> None:
    for day in days:
        names = [file.path for files in day.files.values() for file in files]
        size = sum(path.stat().st_size for path in names)
        _say(f"{day}: {len(names)} files, {size / MIB:,.1f} MiB")
    typer.echo(f"{len(days):,} folders would be rebuilt")


def _rebuild(days: "Sequence[DayFolder]", *, undo: bool) -> None:
    from atelier_pipeline.errors import LakeError
    from atelier_pipeline.housekeeping.compact import compact_day, expand_day

    done: list[Compacted] = []
    failed = 0
    for day in _progress(days, "giving pieces back" if undo else "compacting"):
        try:
            done.append(expand_day(day) if undo else compact_day(day))
        except LakeError as error:
            failed += 1
            _say(f"{day}: {error}")
    typer.echo(_sizes(done))
    if failed:
        raise typer.Exit(1)


def _sizes(done: "Sequence[Compacted]") -> str:
    files = sum(each.files_before for each in done), sum(each.files_after for each in done)
    sizes = sum(each.bytes_before for each in done), sum(each.bytes_after for each in done)
    return (
        f"{len(done):,} folders rebuilt: {sum(each.rows for each in done):,} rows, "
        f"{files[0]:,} -> {files[1]:,} files, {sizes[0] / MIB:,.1f} -> {sizes[1] / MIB:,.1f} MiB"
    )


def _tell_reasons(what: str, reasons: Iterable[str]) -> None:
    counted = Counter(reasons).most_common()
    for reason, count in counted[:MOST_REASONS]:
        _say(f"{count:,} x {what}: {reason}")
    if len(counted) > MOST_REASONS:
        typer.echo(f"and {len(counted) - MOST_REASONS:,} other reasons")


def _tell_judged(judged: "Sequence[Judged]", *, dry_run: bool) -> None:
    from atelier_pipeline.housekeeping.prune import Verdict, What

    by = {verdict: [each for each in judged if each.verdict is verdict] for verdict in Verdict}
    for each in by[Verdict.GOES]:
        _say(f"{each.candidate.path}: {each.bytes:,} bytes")
    _tell_reasons("stays", (each.reason for each in by[Verdict.STAYS]))
    for each in by[Verdict.UNPROVED]:
        _say(f"{each.candidate.path}: not removed: {each.reason}")
    for what in What:
        sizes = [each.bytes for each in by[Verdict.GOES] if each.candidate.what is what]
        verb = "would be removed" if dry_run else "removed"
        typer.echo(f"{what}: {len(sizes):,} {verb}, {sum(sizes) / MIB:,.1f} MiB")
