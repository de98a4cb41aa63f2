"""Samples as torch tensors and as a torch Dataset: the only place that imports torch."""

# torch is an extra, so that the types are checked where there is none, too.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false
# pyright: reportUnknownParameterType=false

from atelier_pipeline.datasets.samples import Samples

try:
    import torch
    from torch.utils.data import Dataset
except ImportError as error:
    raise ImportError(
        "atelier_pipeline.datasets.tensors needs PyTorch: pip install 'atelier-pipeline[torch]'"
    ) from error


class SampleDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """One item a sample: its features, [features] or [lookback, features], and its target, [].

    Features are cut out of the ticks when an item is asked for, so that a long lookback costs no
    memory. Scale before: float32 has seven digits, a price with its changes needs more.
    """

    def __init__(self, samples: Samples, dtype: torch.dtype = torch.float32) -> None:
        self._ticks = torch.as_tensor(samples.feature_matrix(), dtype=dtype)
        self._rows = samples.newest_rows().tolist()
        self._targets = torch.as_tensor(
            samples.table["target"].to_numpy(writable=True), dtype=dtype
        )
        self._lookback = samples.recipe.lookback

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, item: int) -> tuple[torch.Tensor, torch.Tensor]:
        row = self._rows[item]
        if self._lookback == 1:
            return self._ticks[row], self._targets[item]
        return self._ticks[row + 1 - self._lookback : row + 1], self._targets[item]


def to_tensors(
    samples: Samples, dtype: torch.dtype = torch.float32
) -> tuple[torch.Tensor, torch.Tensor]:
    """Features and targets, shapes as `Samples.to_numpy` gives them."""
    features, targets = samples.to_numpy()
    return torch.as_tensor(features, dtype=dtype), torch.as_tensor(targets, dtype=dtype)
