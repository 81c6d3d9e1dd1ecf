"""JAX: a jitted step, called from Python."""

import jax
import jax_network as network
import race

step = jax.jit(network.step, donate_argnums=0)
state = network.start()


def epoch():
    global state
    for rows in race.orders():
        state = step(state, rows)


race.run(epoch, lambda: network.outputs(state[0], network.X_test))
