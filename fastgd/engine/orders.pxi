# The random orders of the rows of epochs. Included by `_native.pyx`.


def fill_orders(order, uint64_t seed, uint64_t first_epoch, rows=None, isa=None):
    """order (epochs, n) <- the rows in the order of each epoch. See `fastgd.engine.contract.FillOrders`."""
    cdef Py_ssize_t epochs = order.shape[0], n = order.shape[1]
    cdef _Array to = _dense("order", order, b"q", epochs, n, True), of = None
    cdef const int64_t *indices = NULL
    cdef const fgd_engine *engine = fgd_find_engine((isa or ISAS[0]).encode(), 32)
    if n > 1LL << 32:  # whose order has 32 GiB
        numpy_engine.fill_orders(order, seed, first_epoch, rows)
        return
    if engine is NULL:
        raise ValueError(f"instruction set {isa!r} is not available on this CPU; choose from {', '.join(ISAS)}")
    if rows is not None:
        of = _dense("rows", rows, b"q", n)
        indices = <const int64_t *> of.view.buf
    with nogil:
        engine.orders(seed, first_epoch, epochs, indices, n, <int64_t *> to.view.buf)
