"""A training that is seen while it runs: one chunk per epoch, and the best model on disk."""

import re
import uuid
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakepit_jupyter.errors import InvalidParameter
from snakepit_jupyter.worker.adapter import BaseAdapter, tool

if TYPE_CHECKING:
    from snakepit_jupyter.adapters.trained_model import TrainedModel


class TrainingAdapter(BaseAdapter):
    """Trains classifiers on tables of numbers."""

    @tool(description="Train a classifier; one chunk per epoch", supports_streaming=True)
    def distributed_training(
        self,
        model_config: dict[str, Any],
        training_config: dict[str, Any],
        dataset_path: str,
        output_dir: str = "snakepit-models",
        target: str | None = None,
    ) -> Generator[dict[str, Any], None, None]:
        """Trains a multilayer perceptron or a linear model with Adam, in this one worker.

        The name is the one of Snakepit's streaming guide. A share of the samples, of each class alike, is
        held out; features are standardised with the mean and the deviation of the others. Whenever an epoch
        gives a better model (a higher validation accuracy, or the same with a lower loss), it is written to
        `output_dir` as <architecture>-<data set>-<time>-<id>-best.npz, for `load_model`, with a .json beside
        it that tells how it came about. Both are there, and whole, also if the run is stopped.

        Args:
            model_config: see `training_settings.ModelSettings`; every key may be left out.
            training_config: see `training_settings.TrainingSettings`; every key may be left out.
            dataset_path: see `datasets.load_dataset`.
            output_dir: the directory for the model; made if it is not there.
            target: the column to learn, of a .csv or .parquet file.

        Yields:
            For each epoch: `epoch` (from 1), `total_epochs`, `train_loss` and `train_acc` (means over the
            epoch's samples as they were trained, each minibatch before it changed the weights), `val_loss`
            and `val_acc` (after the epoch), `learning_rate`, `samples_per_second` (of the training alone),
            `is_final` False. Losses are cross entropies in nats without the L2 penalty, accuracies lie
            between 0 and 1.
            Last: `final_model_path` (absolute), `best_val_accuracy`, `best_epoch`, `total_epochs`,
            `epochs_trained` (fewer after an early stop), `message`, `samples`, `features`, `classes`,
            `is_final` True.

        Raises:
            InvalidParameter: a setting, the data set or the directory cannot be used, or the training
                diverged.
            SnakepitError: NumPy or another library is missing.
        """
        # Here and not above: a worker that trains nothing starts without all this.
        from snakepit_jupyter.adapters.datasets import load_dataset
        from snakepit_jupyter.adapters.training_settings import model_settings, training_settings

        model, training = model_settings(model_config), training_settings(training_config)
        dataset = load_dataset(dataset_path, target)
        path = _new_model_path(output_dir, f"{model.architecture}-{dataset.name}")

        from snakepit_jupyter.adapters.training_run import TrainingRun

        run = TrainingRun(dataset, model, training, path)
        print(run.summary)  # noqa: T201  a tool's output is shown under the cell
        try:
            for _ in range(training.epochs):
                yield run.epoch()
                if run.stalled:
                    break
        finally:
            run.close()
        print(f"saved {path}")  # noqa: T201
        yield run.outcome()


def load_model(path: str | Path) -> "TrainedModel":
    """The model of a training, by its `final_model_path`; it has `predict` and `probabilities`.

    Raises:
        FileNotFoundError: there is no such file.
        InvalidParameter: it is not a model.
        SnakepitError: NumPy is missing.
    """
    from snakepit_jupyter.adapters.libraries import need

    need("numpy")
    from snakepit_jupyter.adapters.trained_model import load

    return load(path)


def _new_model_path(output_dir: str, what: str) -> Path:
    # Absolute: the notebook may have changed its directory since, and this path is for it.
    folder = Path(output_dir).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidParameter(
            f"output_dir is {output_dir!r}, which cannot be a directory: {error.strerror}",
            details={"key": "output_dir"},
        ) from None
    name = re.sub(r"[^\w.-]+", "-", what)[:100]
    made = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return folder / f"{name}-{made}-{uuid.uuid4().hex[:6]}-best.npz"
