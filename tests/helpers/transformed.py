"""Short trainings with transforms on any engine, to be compared with the definitions."""

import copy

import numpy as np
from networks import Net, part_of

WIDTHS = (5, 33, 9, 3)

GROUPS = {
    "*.bias": {"lr": 2.0, "weight_decay": 0.0, "l1": 0.0},
    "0.*": {"lr": 0.5, "max_norm": 0.5},
    "2.weight": {"weight_decay": 3.0, "max_norm": None},
}


def train(engine, dtype, optimizer, run, pieces=1, n_threads=0, micro_batch=None, widths=WIDTHS):
    """theta, state, losses and norms after a run on a copy of the optimizer."""
    net, optimizer = Net(engine, dtype, widths), copy.deepcopy(optimizer)
    state = optimizer.bind(net.theta.size, dtype, net)
    whole = run.chunk(net, state=state[: optimizer.slots], n_threads=n_threads)
    steps = whole.n_steps
    epoch, within = np.divmod(np.arange(steps), 3)
    epoch_times, ends, norms = epoch + within / 3, epoch + (within + 1) / 3, np.full(steps, np.nan)
    for part in np.array_split(np.arange(steps), pieces):
        piece, t = slice(part[0], part[-1] + 1), part + 1
        more = {} if micro_batch is None else {"micro_batch": micro_batch}
        coefficients = optimizer.coefficients(np.full(len(t), run.lr), t, epoch_times[piece], 4)
        transforms = optimizer.transforms(net, t, ends[piece], epoch_times[piece], 4, norm=norms[piece], **more)
        net.network.train(part_of(whole, piece.start, piece.stop, coefficients=coefficients, transforms=transforms))
    average = [] if optimizer.averaged_theta is None else optimizer.averaged_theta
    return np.concatenate([net.theta, state.ravel(), average]), np.concatenate([whole.losses, norms])
