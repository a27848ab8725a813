"""The optimiser Adam: Kingma & Ba 2015, "Adam: a method for stochastic optimization", algorithm 1."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


class Adam:
    """Moves weights against their gradient, by about the learning rate in each step."""

    def __init__(self, like: Floats, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        self._mean, self._square = np.zeros_like(like), np.zeros_like(like)
        self._beta1, self._beta2, self._epsilon = beta1, beta2, epsilon
        self._steps = 0

    def move(self, weights: Floats, gradient: Floats, learning_rate: float) -> None:
        """Changes `weights` in place."""
        self._steps += 1
        self._mean += (1 - self._beta1) * (gradient - self._mean)
        self._square += (1 - self._beta2) * (gradient**2 - self._square)
        mean = self._mean / (1 - self._beta1**self._steps)
        square = self._square / (1 - self._beta2**self._steps)
        weights -= learning_rate * mean / (np.sqrt(square) + self._epsilon)
