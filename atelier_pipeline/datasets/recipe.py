"""What a sample is made of, as a value that can be kept beside a model."""

from typing import Literal, TypeAlias, get_args

import msgspec

TargetKind: TypeAlias = Literal["value", "change", "return", "log_return"]
Nulls: TypeAlias = Literal["drop", "keep", "zero"]

GIVEN_AFTERWARDS = "gap"


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How aggregates become samples; ValueError for one that none can be made by.

    Attributes:
        features: columns of numbers, in the order of the last axis.
        target: the column to foretell.
        kind: its `value` at the target's tick, or its `change`, `return` or `log_return` from the
            entry to there; a return needs both values above 0.
        horizon: ticks from the entry to the target, at least 1.
        lookback: ticks of features in one sample, at least 1.
        latency_ns: time that a user needs from knowing the features to acting on them.
        nulls: `drop` the samples with a feature missing, `keep` them (NaN in numpy and torch), or
            take the feature as `zero`. A sample whose target is missing is always dropped.
    """

    features: tuple[str, ...]
    target: str = "ob_mid_price"
    kind: TargetKind = "log_return"
    horizon: int = 1
    lookback: int = 1
    latency_ns: int = 0
    nulls: Nulls = "drop"

    def __post_init__(self) -> None:
        if isinstance(self.features, str):
            raise TypeError(f"features={self.features!r} is one text, not a sequence of columns")
        msgspec.structs.force_setattr(self, "features", tuple(self.features))
        if not self.features or len(set(self.features)) < len(self.features):
            raise ValueError(f"features must be one or more different columns, not {self.features}")
        if GIVEN_AFTERWARDS in {*self.features, self.target}:
            raise ValueError("gap is given afterwards: it can be no feature and no target")
        _check_choice("kind", self.kind, get_args(TargetKind))
        _check_choice("nulls", self.nulls, get_args(Nulls))
        _check_least("horizon", self.horizon, 1)
        _check_least("lookback", self.lookback, 1)
        _check_least("latency_ns", self.latency_ns, 0)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}={value!r} is none of {', '.join(choices)}")


def _check_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
