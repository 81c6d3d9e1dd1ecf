"""scikit-learn: epochs by `partial_fit`."""

import numpy as np
import race
from sklearn.neural_network import MLPClassifier, MLPRegressor

model = (MLPClassifier if race.is_classifier else MLPRegressor)(
    hidden_layer_sizes=race.widths[1:-1],
    solver="sgd" if race.is_classifier else "adam",
    alpha=0,
    batch_size=race.batch,
    learning_rate_init=race.lr,
    momentum=0.9,
    nesterovs_momentum=False,
    random_state=race.seed,
)
y = race.y.ravel()
classes = {"classes": np.arange(race.widths[-1])} if race.is_classifier else {}
race.run(lambda: model.partial_fit(race.X, y, **classes), lambda: model.predict(race.X_test))
