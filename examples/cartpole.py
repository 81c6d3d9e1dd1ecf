"""Reinforcement learning: three ways to learn to balance a pole on a cart, from a reward of 1 for each step it stands.

An episode ends when the pole falls, or after 500 steps; an average of 475 counts as solved.  Nobody says which action
was right: the learner has to find out from those that it tried.

- REINFORCE makes actions more likely, the more reward followed than a second network had expected: the baseline V(s).
  The gradient is that of -A log pi(a|s), A = return - V(s) (Williams, Machine Learning 8, 1992).
- PPO takes many steps on the same episodes, as long as the new policy is near the one that acted (Schulman et al.,
  arXiv 1707.06347); its A averages over many horizons (Schulman et al., arXiv 1506.02438).  One step is REINFORCE.
- DQN learns the value of each action from rows of a memory: Q(s, a) should be the rewards of the next k steps and
  gamma^k Q'(s', a') for the best a' in the state s' after them; Q' is a slow copy of Q (Mnih et al., Nature 518, 2015;
  van Hasselt et al., AAAI 2016; without the k steps, Q becomes worse again here once the pole hardly ever falls).

All gradients dL/dZ are written out.  One sees three curves that reach 500 steps.
Run: python cartpole.py [picture.png] [--seed N], which needs gymnasium: pip install "fastgd[examples]"
"""

import argparse
import time
from functools import partial

import gymnasium
import matplotlib.pyplot as plt
import numpy as np

import fastgd as gd
from fastgd import plot

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("picture", nargs="?", default="cartpole.png")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
plt.style.use(plot.STYLE)
seed, rng, GAMMA = arguments.seed, np.random.default_rng(arguments.seed), 0.99


class Net:
    """A network of the cart's position, speed, angle and angular speed, with its optimizer."""

    def __init__(self, n_out, lr):
        self.model, self.optimizer = gd.MLP(4, 64, 64, n_out, activation="tanh", seed=seed + n_out), gd.Adam(lr=lr)
        self.predict = self.model.predict

    def greedy(self, s):
        return self.predict(s).argmax(axis=1)

    def explore(self, epsilon, s):
        return np.where(rng.random(len(s)) < epsilon, rng.integers(2, size=len(s)), self.greedy(s))

    def sample(self, s):
        return (self.predict(s) + rng.gumbel(size=(len(s), 2))).argmax(axis=1)  # has the probabilities softmax(Z)

    def step(self, dZ):
        self.model.backward(dZ.astype("float32"), input_gradient=False)
        self.optimizer.step(self.model)

    def approach(self, target, s, a=0):
        """A step down the mean of (Z - target)^2 / 2, where Z is output a."""
        Z, rows = self.model.forward(s), np.arange(len(s))
        dZ = np.zeros_like(Z)
        dZ[rows, a] = (Z[rows, a] - target) / len(s)
        self.step(dZ)

    def improve(self, s, a, A, log_old, clip):
        """A step up the mean of min(A ratio, A clipped ratio), ratio = pi(a|s) / pi_old(a|s)."""
        log_p, chosen = log_softmax(self.model.forward(s)), np.eye(2)[a]
        ratio = np.exp((log_p * chosen).sum(axis=1) - log_old)
        A_ratio = A * ratio * np.where(A > 0, ratio < 1 + clip, ratio > 1 - clip) / len(s)
        self.step(A_ratio[:, None] * (np.exp(log_p) - chosen))


def play(choose, n):
    """One episode on each of n carts: its transitions by name, (steps, n); those after its end are not `valid`."""
    carts = gymnasium.make_vec("CartPole-v1", num_envs=n, vectorization_mode="vector_entry_point")
    state, valid, steps = carts.reset(seed=int(rng.integers(2**31)))[0], np.ones(n, bool), []
    while valid.any():
        action, before = choose(np.ascontiguousarray(state)), state
        state, _, fallen, stopped, _ = carts.step(action)
        steps.append({"s": before, "a": action, "s_next": state, "fallen": fallen, "valid": valid})
        valid = valid & ~fallen & ~stopped
    return {name: np.stack([step[name] for step in steps]) for name in steps[0]}


def log_softmax(Z):
    return Z - np.logaddexp(Z[:, :1], Z[:, 1:])


def policy_gradient(budget, lr, passes, parts, horizon, clip, n=8):
    """REINFORCE with one pass over one part of n episodes, PPO with many."""
    policy, critic, played = Net(2, lr), Net(1, lr), 0
    while played < budget:
        d = play(policy.sample, n)
        V, V_next = (100 * critic.predict(d[name].reshape(-1, 4)).reshape(d["valid"].shape) for name in ("s", "s_next"))
        delta, A, later = 1 + GAMMA * V_next * ~d["fallen"] - V, np.zeros_like(V), 0
        for t in reversed(range(len(A))):
            A[t] = later = d["valid"][t] * (delta[t] + horizon * GAMMA * later)
        s, a, A, V = (array[d["valid"]] for array in (d["s"], d["a"], A, V))
        log_old, target = log_softmax(policy.predict(s))[np.arange(len(s)), a], (A + V) / 100
        A = (A - A.mean()) / A.std()
        for _ in range(passes):
            for rows in np.array_split(rng.permutation(len(s)), parts):
                policy.improve(s[rows], a[rows], A[rows], log_old[rows], clip)
                critic.approach(target[rows], s[rows])
        played += len(s)
        yield played, policy


def dqn(budget, n=4, batch=128, k=10):
    """Double DQN, with the rewards of k transitions and the value after them."""
    Q, slow, memory, played = Net(2, 0.001), Net(2, 0.001), gd.ReplayBuffer(50_000, seed=seed), 0  # Q' begins as Q
    while played < budget:
        d = play(partial(Q.explore, max(0.02, 1 - 4 * played / budget)), n)
        t, cart = np.nonzero(d["valid"])
        last = np.minimum(t + k, d["valid"].sum(axis=0)[cart]) - 1  # of the k transitions, or of the episode
        discount = GAMMA ** (last - t + 1)
        reward, discount = (1 - discount) / (1 - GAMMA) / 100, discount * ~d["fallen"][last, cart]
        memory.extend(s=d["s"][t, cart], a=d["a"][t, cart], r=reward, discount=discount, s_next=d["s_next"][last, cart])
        for _ in range(len(t) // 2):
            m, rows = memory.sample(batch), np.arange(batch)
            value = slow.predict(m["s_next"])[rows, Q.greedy(m["s_next"])]
            Q.approach(m["r"] + m["discount"] * value, m["s"], m["a"])
            slow.model.copy_parameters(Q.model, tau=0.005)
        played += len(t)
        yield played, slow


METHODS = {
    "REINFORCE": (policy_gradient, 150_000, {"lr": 0.005, "passes": 1, "parts": 1, "horizon": 1, "clip": np.inf}),
    "PPO": (policy_gradient, 100_000, {"lr": 0.001, "passes": 10, "parts": 4, "horizon": 0.95, "clip": 0.2}),
    "DQN": (dqn, 30_000, {}),
}
if __name__ == "__main__":
    scores = []
    figure, ax = plt.subplots(figsize=(7, 4.4))
    for color, (name, (learn, budget, settings)) in zip(plot.PALETTE, METHODS.items(), strict=False):
        curve, start = [(0, 0)], time.perf_counter()
        for played, net in learn(budget, **settings):
            if played > curve[-1][0] + budget / 40 or played >= budget:
                curve.append((played, play(net.greedy, 20)["valid"].sum() / 20))
        scores.append(play(net.greedy, 100)["valid"].sum() / 100)
        print(f"{name}: {scores[-1]:.0f} after {played:,} steps and {time.perf_counter() - start:.0f} s")
        x, y = np.transpose(curve[1:])
        ax.plot(x / 1000, y, color=color, linewidth=1.8, label=f"{name}, at the end {scores[-1]:.0f} in 100 episodes")
    ax.axhline(475, color=plot.GREY, linewidth=1, linestyle=":")
    ax.text(0.995, 478, "solved", ha="right", transform=ax.get_yaxis_transform())
    ax.set(title="CartPole-v1", xlabel="steps played, thousands", ylabel="return, mean of 20 episodes")
    ax.set(xlim=(0, None), ylim=(0, 515))
    ax.legend(loc="lower right")
    figure.savefig(arguments.picture)
    print(f"result: lowest mean return of the three methods {min(scores):.1f}")
