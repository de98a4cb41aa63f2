"""What goes wrong, where and when: a TOML list, read and checked before anything runs."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.simulator.listings import LISTINGS

Kind: TypeAlias = Literal[
    "drop",
    "duplicate",
    "reorder",
    "delay",
    "stall",
    "corrupt_digit",
    "corrupt_checksum",
    "truncate",
    "garbage",
    "oversize",
    "renumber",
    "restart",
    "skew",
    "year_one",
    "silence",
    "quiet",
    "close",
    "abort",
    "refuse",
    "ignore",
    "hear_late",
]
Where: TypeAlias = Literal[
    "any", "book", "snapshot", "trades", "ticker", "liquidations", "heartbeat", "ack"
]

_BYBIT = frozenset({"bybit", "bybit_spot"})
_ONLY_ON: dict[str, frozenset[str]] = {
    "corrupt_checksum": frozenset({"kraken"}),
    "restart": _BYBIT,
    "year_one": frozenset(LISTINGS) - _BYBIT,
}
_NOT_NEGATIVE = Meta(ge=0)


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong.

    Attributes:
        what: the kind of fault.
        exchange, connection, symbol, channel: where; left out = everywhere. Connections to an
            exchange are numbered from 1; `snapshot` is the message that starts a book.
        after_secs: how long after the connection was made it may begin.
        for_secs: for how long from then; None = to the end.
        count: for how many messages of each connection at most; 0 = no limit. A fault of a whole
            connection (stall, silence, quiet, skew) has no count.
        probability: the share of messages that it meets.
        delay_secs: delay and hear_late: how much later.
        by: renumber: what is added to the numbers from there on, 1 = one is skipped, -1 = one is
            repeated.
        skew_secs: skew: what is added to the exchange's times.
        size_bytes: oversize: the size of the padded message; garbage: how many random bytes.
        code, reason: close: of the close frame.
    """

    what: Kind
    exchange: str | None = None
    connection: Annotated[int, Meta(ge=1)] | None = None
    symbol: str | None = None
    channel: Where = "any"
    after_secs: Annotated[float, _NOT_NEGATIVE] = 0.0
    for_secs: Annotated[float, _NOT_NEGATIVE] | None = None
    count: Annotated[int, _NOT_NEGATIVE] = 1
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0
    delay_secs: Annotated[float, _NOT_NEGATIVE] = 1.0
    by: int = 1
    skew_secs: float = 0.0
    size_bytes: Annotated[int, Meta(ge=1)] | None = None
    code: Annotated[int, Meta(ge=1000, le=4999)] = 1001
    reason: str = ""

    def is_on(self, exchange: str, connection: int) -> bool:
        """Whether it can happen on a connection to `exchange`."""
        return (
            self.exchange in {None, exchange}
            and self.connection in {None, connection}
            and exchange in _ONLY_ON.get(self.what, frozenset(LISTINGS))
        )


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that goes wrong in a run; the seed decides what chance decides."""

    seed: int = 7
    faults: list[Fault] = []


def load_script(path: Path) -> Script:
    """Read a script. Raises SettingsError with the file, the key and what was expected."""
    try:
        script = msgspec.toml.decode(path.read_bytes(), type=Script)
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError(f"{path}: {error}") from error
    for number, fault in enumerate(script.faults):
        _check(fault, f"{path}: faults[{number}]")
    return script


def _check(fault: Fault, where: str) -> None:
    if fault.exchange is None:
        return
    if fault.exchange not in LISTINGS:
        raise SettingsError(f"{where}.exchange is {fault.exchange!r}, not one of {[*LISTINGS]}")
    if fault.symbol is not None and fault.symbol not in LISTINGS[fault.exchange]:
        raise SettingsError(f"{where}.symbol {fault.symbol!r} is not listed on {fault.exchange}")
    if fault.exchange not in _ONLY_ON.get(fault.what, frozenset(LISTINGS)):
        raise SettingsError(f"{where}.what {fault.what!r} cannot happen on {fault.exchange}")
