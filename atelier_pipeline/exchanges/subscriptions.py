"""How subscribe and unsubscribe frames are made, whatever the exchange."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar

import msgspec

from atelier_pipeline.exchanges.contract import Exchange, Request, Topic
from atelier_pipeline.market.datasets import Dataset

_T = TypeVar("_T")


def in_chunks(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """The items in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def request_number(operation: str, topics: Sequence[Topic]) -> int:
    """An id for a request, below 2**48: equal for equal requests, distinct for different ones."""
    text = msgspec.json.encode((operation, topics))
    return int.from_bytes(blake2b(text, digest_size=6).digest(), "big")


def frame_text(message: object) -> str:
    """The message as the text of one frame."""
    return msgspec.json.encode(message).decode()


def requests_for(
    exchange: Exchange, datasets: Mapping[str, frozenset[Dataset]], depth: int | None
) -> list[Request]:
    """What subscribes each symbol to its datasets; symbols with equal ones share requests."""
    groups: dict[frozenset[Dataset], list[str]] = {}
    for symbol, wanted in datasets.items():
        groups.setdefault(wanted, []).append(symbol)
    requests = [
        request
        for wanted, symbols in groups.items()
        for request in exchange.subscribe(symbols, wanted, depth)
    ]
    return list(dict.fromkeys(requests))
