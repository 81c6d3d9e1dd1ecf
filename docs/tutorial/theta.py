"""Chapter 5, all unknowns in one vector theta, one gradient, one formula.

Run: python theta.py [folder for the pictures]
"""

# [model]
import numpy as np

import fastgd as gd

rng = np.random.default_rng(0)
X = rng.uniform(-3, 3, (300, 1))
y = np.sin(2 * X[:, 0]) + 0.4 * X[:, 0] + rng.normal(0, 0.1, 300)

model = gd.MLP(1, 10, 1, activation="sigmoid", seed=0, dtype="float64")
print(model.theta.shape, {name: values.shape for name, values in model.parameters().items()})
# [end]

# [views]
model.parameters()["0.bias"][:] = 7.0
print(model.theta[10:20])  # behind the 10 weights of the first layer
model.parameters()["0.bias"][:] = 0.0
# [end]


# [gradient]
def gradient():
    """L(theta) and its gradient g, at the present theta."""
    Z = model.forward(X)  # (300, 1)
    e = Z[:, 0] - y
    model.backward((2 * e / 300)[:, None], input_gradient=False)  # takes dL/dZ, fills model.grad
    return np.mean(e**2), model.grad.copy()


loss, g = gradient()
# [end]

# [check]
h, numeric = 1e-5, np.empty(model.size)
for i in range(model.size):  # each unknown in turn, the others held fixed
    model.theta[i] += h
    above, _ = gradient()
    model.theta[i] -= 2 * h
    below, _ = gradient()
    model.theta[i] += h
    numeric[i] = (above - below) / (2 * h)
print(np.abs(g - numeric).max())
# [end]

# [descent]
start = model.theta.copy()
for step in range(100):
    loss, g = gradient()
    model.theta -= 0.1 * g  # theta <- theta - eta g
by_hand = model.theta.copy()

model.theta = start
trainer = gd.Trainer(model, loss="mse", optimizer=gd.SGD(lr=0.1), batch_size=None, shuffle=False)
trainer.fit(X, y, epochs=100, verbose=0)
print(np.abs(model.theta - by_hand).max())
# [end]

from style import BLUE, ORANGE, panels, save, tidy

model.theta = start
norms, losses = [], []
for step in range(3000):
    loss, g = gradient()
    losses.append(loss)
    norms.append(np.linalg.norm(g))
    model.theta -= 0.1 * g
print(f"after 3000 steps: loss {losses[-1]:.3f}, norm of the gradient {norms[-1]:.4f}")
figure, (left, right) = panels(2, 3.6)
left.plot(losses, color=BLUE)
tidy(left, "The loss still falls ...", "step", "L(θ)", xlim=(0, 3000), ylim=(0, 0.5))
right.semilogy(norms, color=ORANGE)
tidy(right, "... and the gradient is never quite 0", "step", "length of g", xlim=(0, 3000))
save(figure, "theta")
