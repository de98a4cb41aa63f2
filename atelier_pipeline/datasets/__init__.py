"""From market aggregates to what a model learns from, without a look ahead.

`datasets.tensors` has the torch tensors and is imported by name: it needs the extra `[torch]`.
"""

from atelier_pipeline.datasets.aggregates import read_aggregates
from atelier_pipeline.datasets.making import make_samples
from atelier_pipeline.datasets.recipe import Recipe
from atelier_pipeline.datasets.samples import Samples
from atelier_pipeline.datasets.scaling import Scaling, min_max_scaling, standard_scaling
from atelier_pipeline.datasets.splits import Split, split_at, time_at_share

__all__ = [
    "Recipe",
    "Samples",
    "Scaling",
    "Split",
    "make_samples",
    "min_max_scaling",
    "read_aggregates",
    "split_at",
    "standard_scaling",
    "time_at_share",
]
