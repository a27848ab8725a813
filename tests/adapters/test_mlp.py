import numpy as np
import pytest

from snakepit_jupyter.adapters.adam import Adam
from snakepit_jupyter.adapters.mlp import (
    Activation,
    Floats,
    Labels,
    Network,
    evaluate,
    gradient_step,
    new_network,
)

L2 = 0.01


def samples(count: int, features: int, classes: int) -> tuple[Floats, Labels]:
    rng = np.random.default_rng(7)
    return rng.normal(size=(count, features)), rng.integers(0, classes, count)


def objective(network: Network, x: Floats, y: Labels) -> float:
    penalty = sum(float((weights**2).sum()) for weights, _ in network.layers())
    return evaluate(network, x, y)[0] + L2 / 2 * penalty


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("sizes", [(5, 3), (5, 8, 3), (5, 8, 6, 3)])
def test_the_gradient_is_that_of_finite_differences(sizes: tuple[int, ...], activation: Activation) -> None:
    network = new_network(sizes, activation, np.random.default_rng(0), np.float64)
    network.flat[...] += 0.05  # no bias at 0, where ReLU has a corner for units that are given nothing
    x, y = samples(17, sizes[0], sizes[-1])
    told = gradient_step(network, x, y, L2).gradient
    measured, h = np.empty_like(told), 1e-6
    for index in range(told.size):
        kept = network.flat[index]
        network.flat[index] = kept + h
        above = objective(network, x, y)
        network.flat[index] = kept - h
        below = objective(network, x, y)
        network.flat[index] = kept
        measured[index] = (above - below) / (2 * h)
    np.testing.assert_allclose(told, measured, rtol=1e-5, atol=1e-8)


def test_all_is_float32() -> None:
    network = new_network((4, 6, 3), "relu", np.random.default_rng(0))
    x, y = samples(9, 4, 3)
    step = gradient_step(network, x.astype(np.float32), y, L2)
    adam = Adam(network.flat)
    adam.move(network.flat, step.gradient, 0.001)
    assert network.flat.dtype == step.gradient.dtype == network.logits(x.astype(np.float32)).dtype == np.float32


def test_the_layers_are_views_of_one_vector() -> None:
    network = new_network((4, 6, 3), "relu", np.random.default_rng(0))
    assert [(w.shape, b.shape) for w, b in network.layers()] == [((4, 6), (6,)), ((6, 3), (3,))]
    network.flat[...] = 1
    assert all((w == 1).all() and (b == 1).all() for w, b in network.layers())


@pytest.mark.parametrize(("activation", "variance"), [("relu", 2 / 400), ("tanh", 1 / 400)])
def test_first_weights_have_the_variance_of_their_activation(activation: Activation, variance: float) -> None:
    network = new_network((400, 300, 2), activation, np.random.default_rng(0))
    weights, biases = network.layers()[0]
    assert float(weights.var()) == pytest.approx(variance, rel=0.02)
    assert not biases.any()


def test_enormous_logits_give_finite_losses_and_probabilities() -> None:
    network = new_network((2, 3), "relu", np.random.default_rng(0))
    network.flat[...] = np.linspace(-1e30, 1e30, network.flat.size)
    x, y = np.ones((4, 2), np.float32), np.array([0, 1, 2, 0])
    chances = network.probabilities(x)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    assert np.isfinite(gradient_step(network, x, y, 0.0).cross_entropy)


def test_an_untrained_network_of_zeros_knows_nothing() -> None:
    network = Network((4, 5), "relu", np.zeros(25, np.float32))
    x, y = samples(50, 4, 5)
    loss, _ = evaluate(network, x.astype(np.float32), y)
    assert loss == pytest.approx(np.log(5))


def test_an_evaluation_in_slices_is_the_one_in_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    network = new_network((4, 6, 3), "tanh", np.random.default_rng(0), np.float64)
    x, y = samples(101, 4, 3)
    whole = evaluate(network, x, y)
    monkeypatch.setattr("snakepit_jupyter.adapters.mlp._ROWS", 10)
    assert evaluate(network, x, y) == pytest.approx(whole)


def test_the_first_step_of_adam_goes_by_the_learning_rate_against_the_gradient() -> None:
    weights = np.zeros(3)
    Adam(weights).move(weights, np.array([5.0, -0.01, 0.0]), 0.1)
    np.testing.assert_allclose(weights, [-0.1, 0.1, 0.0], rtol=1e-5)


def test_adam_is_the_published_recursion() -> None:
    weights, adam = np.array([1.0]), Adam(np.zeros(1))
    mean = square = 0.0
    expected = 1.0
    for t, gradient in enumerate([0.3, -2.0, 0.7, 0.7], start=1):
        adam.move(weights, np.array([gradient]), 0.01)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        expected -= 0.01 * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
    assert weights[0] == pytest.approx(expected, rel=1e-12)
