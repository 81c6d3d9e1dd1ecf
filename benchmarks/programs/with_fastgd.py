"""fastgd, as its README writes it."""

import numpy as np
import race

import fastgd as gd

model = gd.MLP(*race.widths)
model.theta = np.concatenate([part.ravel() for layer in race.layers() for part in layer])
trainer = gd.Trainer(
    model,
    loss="cross_entropy" if race.is_classifier else "mse",
    optimizer=gd.SGD(race.lr, momentum=0.9) if race.is_classifier else gd.Adam(race.lr),
    batch_size=race.batch,
    seed=race.seed,
)
race.run(
    lambda: trainer.fit(race.X, race.y, epochs=1, verbose=0),
    lambda: model.predict(race.X_test),
)
