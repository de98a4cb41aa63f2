"""A training and a test part, one before the other, with nothing that both of them see."""

from typing import NamedTuple

import numpy as np

from atelier_pipeline.datasets.samples import Samples
from atelier_pipeline.lake.ticks import Time, utc_ns


class Split(NamedTuple):
    """What a model may learn from, and what it is tried on."""

    train: Samples
    test: Samples


def split_at(samples: Samples, at: Time, *, embargo: int | None = None) -> Split:
    """Samples whose target was known by `at`, and samples that begin `embargo` ticks after it.

    At the moment `at` a model could have been trained on all of the training part; every tick of a
    test sample, its lookback included, is stamped at least `embargo` periods later. Samples between
    are in neither part. The embargo is the horizon unless it is given, and never less. `at` is a
    datetime with a zone or an int of UTC ns. ValueError for a shorter embargo, LakeError for a time
    without a zone.
    """
    recipe = samples.recipe
    embargo = recipe.horizon if embargo is None else embargo
    if embargo < recipe.horizon:
        raise ValueError(f"an embargo of {embargo} ticks is less than the horizon {recipe.horizon}")
    at_ns = utc_ns(at)
    oldest = samples.table["ts_ns"].to_numpy() - (recipe.lookback - 1) * samples.period_ns
    known = samples.table["target_known_at"].to_numpy()
    return Split(
        train=samples.where(known <= at_ns),
        test=samples.where(oldest >= at_ns + embargo * samples.period_ns),
    )


def time_at_share(samples: Samples, share: float) -> int:
    """The tick (UTC ns) before which `share` of the samples' ticks lie: a time to split at.

    ValueError without samples, or for a share that is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1, not {share}")
    stamps = np.unique(samples.table["ts_ns"].to_numpy())
    if not len(stamps):
        raise ValueError("there are no samples to split")
    return int(stamps[int(share * len(stamps))])
