"""A multilayer perceptron that classifies, in NumPy.

Layers compute a W + b, then ReLU or tanh; the last one gives logits, and training lowers the mean softmax
cross entropy plus l2/2 * sum(W**2). Gradients: Goodfellow, Bengio & Courville, Deep Learning (2016),
algorithm 6.4. First weights: He et al. 2015 (ReLU, variance 2/inputs) or LeCun et al. 1998 (tanh and linear,
1/inputs).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]
Activation = Literal["relu", "tanh"]

# Rows per slice of an evaluation: a large validation set must not need its activations at once.
_ROWS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The weights of a network. All of them lie in one vector, so that the optimiser moves it in one go.

    Attributes:
        sizes: units of each layer, from the features to the classes; two numbers make a linear model.
        activation: what the hidden layers apply.
        flat: (parameters,), all weights and biases; training changes it in place.
    """

    sizes: tuple[int, ...]
    activation: Activation
    flat: Floats

    def layers(self, vector: Floats | None = None) -> list[tuple[Floats, Floats]]:
        """Each layer's weights (inputs, outputs) and biases (outputs,), as views of `flat` or of `vector`."""
        return list(_views(self.flat if vector is None else vector, self.sizes))

    def logits(self, x: Floats) -> Floats:
        """(samples, features) to (samples, classes)."""
        return _activations(self, x)[-1]

    def probabilities(self, x: Floats) -> Floats:
        """(samples, features) to (samples, classes); every row sums to 1."""
        chances: Floats = np.exp(_log_softmax(self.logits(x)))
        return chances


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one minibatch gave.

    Attributes:
        cross_entropy: mean over the samples, in nats, without the L2 penalty.
        correct: how many samples were classified rightly.
        gradient: like `Network.flat`, of the cross entropy with the penalty.
    """

    cross_entropy: float
    correct: int
    gradient: Floats


def new_network(
    sizes: Sequence[int],
    activation: Activation,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float32,
) -> Network:
    """A network with random weights and zero biases."""
    total = sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))
    network = Network(tuple(sizes), activation, np.zeros(total, dtype))
    gain = 2.0 if activation == "relu" and len(sizes) > 2 else 1.0  # noqa: PLR2004  has hidden layers
    for weights, _ in network.layers():
        weights[...] = rng.normal(0.0, np.sqrt(gain / len(weights)), weights.shape)
    return network


def gradient_step(network: Network, x: Floats, y: Labels, l2: float) -> Step:
    """Loss and gradient of a minibatch: x (samples, features), y (samples,)."""
    activations = _activations(network, x)
    logs = _log_softmax(activations[-1])
    delta = np.exp(logs)
    delta[np.arange(len(y)), y] -= 1
    delta /= len(y)
    gradient = np.empty_like(network.flat)
    layers, slopes = network.layers(), network.layers(gradient)
    for index in reversed(range(len(layers))):
        weights, inputs = layers[index][0], activations[index]
        slopes[index][0][...] = inputs.T @ delta + l2 * weights
        slopes[index][1][...] = delta.sum(axis=0)
        if index:
            slope = inputs > 0 if network.activation == "relu" else 1 - inputs**2
            delta = (delta @ weights.T) * slope
    loss, correct = _score(logs, y)
    return Step(loss / len(y), correct, gradient)


def evaluate(network: Network, x: Floats, y: Labels) -> tuple[float, float]:
    """The mean cross entropy in nats and the accuracy (0 … 1) on x (samples, features), y (samples,)."""
    loss, correct = 0.0, 0
    for start in range(0, len(y), _ROWS):
        rows = slice(start, start + _ROWS)
        part_loss, part_correct = _score(_log_softmax(network.logits(x[rows])), y[rows])
        loss, correct = loss + part_loss, correct + part_correct
    return loss / len(y), correct / len(y)


def _views(vector: Floats, sizes: Sequence[int]) -> Iterator[tuple[Floats, Floats]]:
    start = 0
    for inputs, outputs in pairwise(sizes):
        end = start + inputs * outputs
        yield vector[start:end].reshape(inputs, outputs), vector[end : end + outputs]
        start = end + outputs


def _activations(network: Network, x: Floats) -> list[Floats]:
    """What every layer was given, and the logits last."""
    values = [x]
    *hidden, (weights, biases) = network.layers()
    for hidden_weights, hidden_biases in hidden:
        before = values[-1] @ hidden_weights + hidden_biases
        values.append(np.maximum(before, 0) if network.activation == "relu" else np.tanh(before))
    return [*values, values[-1] @ weights + biases]


def _score(logs: Floats, y: Labels) -> tuple[float, int]:
    """The sum of the cross entropies, and how many samples are right."""
    loss = -logs[np.arange(len(y)), y].sum(dtype=np.float64)
    return float(loss), int((logs.argmax(axis=1) == y).sum())


def _log_softmax(logits: Floats) -> Floats:
    """Logarithms of the probabilities.

    Only differences from the largest logit are exponentiated, so nothing overflows; and the probabilities,
    which can be zero, are taken from the logarithms and not the other way round.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs
