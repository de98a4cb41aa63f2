"""Samples in torch; skipped where the extra is not installed."""

import pickle

import numpy as np
import pytest

from atelier_pipeline.datasets import Recipe, make_samples, split_at, standard_scaling
from atelier_pipeline_tests.datasets.tapes import FEATURES, PERIOD, T0, tape

torch = pytest.importorskip(
    "torch", reason="torch is an extra: pip install 'atelier-pipeline[torch]' to run these tests"
)
tensors = pytest.importorskip("atelier_pipeline.datasets.tensors", reason="needs torch")

ALONE = Recipe(features=FEATURES, horizon=2)
WINDOWS = Recipe(features=FEATURES, horizon=2, lookback=5)


@pytest.mark.parametrize("recipe", [ALONE, WINDOWS], ids=["alone", "windows"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_hold_the_arrays(recipe, dtype):
    samples = make_samples(tape(9), recipe)
    for tensor, array in zip(tensors.to_tensors(samples, dtype), samples.to_numpy(), strict=True):
        assert tensor.dtype == dtype
        assert tensor.shape == array.shape
        np.testing.assert_allclose(tensor.numpy(), array, rtol=1e-6)


@pytest.mark.parametrize("recipe", [ALONE, WINDOWS], ids=["alone", "windows"])
def test_a_dataset_has_an_item_for_each_sample(recipe):
    samples = make_samples(tape(9), recipe)
    features, targets = tensors.to_tensors(samples)
    dataset = tensors.SampleDataset(samples)
    assert len(dataset) == len(samples) > 50
    for item, (window, target) in enumerate(dataset):
        assert torch.equal(window, features[item])
        assert torch.equal(target, targets[item])
    assert torch.equal(dataset[-1][0], features[-1])
    with pytest.raises(IndexError):
        dataset[len(samples)]


def test_a_loader_shuffles_batches_of_the_training_part():
    samples = make_samples(tape(9), WINDOWS)
    train, _ = split_at(samples, T0 + 40 * PERIOD)
    dataset = tensors.SampleDataset(standard_scaling(train).apply(train))
    order = torch.Generator().manual_seed(1)
    loader = torch.utils.data.DataLoader(dataset, batch_size=8, shuffle=True, generator=order)
    batches = list(loader)
    assert batches[0][0].shape == (8, 5, len(FEATURES))
    assert sum(len(targets) for _, targets in batches) == len(train)
    seen = torch.cat([targets for _, targets in batches]).sort().values
    assert torch.equal(seen, tensors.to_tensors(train)[1].sort().values)


def test_a_dataset_goes_to_the_loaders_other_processes():
    dataset = tensors.SampleDataset(make_samples(tape(9), WINDOWS))
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - what torch does with it
    assert all(torch.equal(a, b) for a, b in zip(copy[3], dataset[3], strict=True))


def test_a_kept_null_is_nan():
    samples = make_samples(tape(9), Recipe(features=FEATURES, nulls="keep"))
    features, _ = tensors.to_tensors(samples)
    assert torch.isnan(features).numpy().sum() == np.isnan(samples.to_numpy()[0]).sum() > 0


def test_a_model_learns_from_the_tensors():
    samples = make_samples(tape(9), ALONE)
    features, targets = tensors.to_tensors(standard_scaling(samples).apply(samples))
    torch.manual_seed(1)
    model = torch.nn.Linear(len(FEATURES), 1)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(20):
        loss = torch.nn.functional.mse_loss(model(features).squeeze(-1), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
