# The caller's arrays as buffers, checked for the core. Included by `_native.pyx`.

# Index in TYPES of each one-letter buffer format; -1: a type that the core does not read.
cdef int[128] _type_of
for _letter in range(128):
    _type_of[_letter] = -1
for _kind, _letters in {"uint": "?BHILQ", "int": "bhilq", "float": "efd"}.items():
    for _letter in _letters:
        _type_of[ord(_letter)] = TYPES.get(f"{_kind}{8 * calcsize(_letter)}", -1)


@cython.final
@cython.no_gc  # it is in no cycle
cdef class _Array:
    """The buffer of an array, held while in use."""
    cdef Py_buffer view

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    cdef tuple shape(self):
        return tuple([self.view.shape[i] for i in range(self.view.ndim)])


cdef _Array _array(array, int flags):
    """Made by a function, because arguments of a class would be boxed."""
    cdef _Array a = _Array.__new__(_Array)
    PyObject_GetBuffer(array, &a.view, flags | PyBUF_FORMAT)
    return a


cdef _Array _dense(str name, array, char letter, Py_ssize_t rows, Py_ssize_t columns=-1, bint writable=False):
    """A C-contiguous array (rows,), or (rows, columns), of the type that the format letter stands for."""
    cdef _Array a = _array(array, PyBUF_C_CONTIGUOUS | (PyBUF_WRITABLE if writable else 0))
    cdef Py_buffer *view = &a.view
    cdef int ndim = 1 if columns < 0 else 2
    if (view.ndim != ndim or view.shape[0] != rows or (ndim == 2 and view.shape[1] != columns)
            or view.format[0] < 0 or view.format[1] != 0 or _type_of[view.format[0]] != _type_of[letter]):
        shape = [rows] if columns < 0 else [rows, columns]
        raise ValueError(f"{name} must have shape {tuple(shape)} and format {chr(letter)!r}, "
                         f"not {a.shape()} and {view.format.decode()!r}")
    return a


cdef bint _overlaps(_Array one, _Array other):
    """Whether arrays that are not empty lie in the same memory, or one between the rows of the other."""
    cdef char *first
    cdef char *end
    cdef char *other_first
    cdef char *other_end
    _extent(&one.view, &first, &end)
    _extent(&other.view, &other_first, &other_end)
    return other_first < end and first < other_end


cdef void _extent(Py_buffer *view, char **first, char **end) noexcept:
    """The first byte of an array, and the byte after its last one."""
    cdef int i
    cdef Py_ssize_t to_last
    first[0] = <char *> view.buf
    end[0] = <char *> view.buf + view.itemsize
    for i in range(view.ndim):
        to_last = (view.shape[i] - 1) * view.strides[i]
        if to_last < 0:
            first[0] += to_last
        else:
            end[0] += to_last


cdef _check_out(str name, _Array out, str other_name, _Array other):
    """Refuse an output whose memory belongs to something else."""
    if other is not None and _overlaps(out, other):
        raise ValueError(contract.OVERLAP.format(name, other_name))


cdef _Array _table(str name, array, Py_ssize_t width, fgd_table *table, bint flat=False):
    """table <- rows of `width` contiguous values of any type that the core reads; flat: a row of one may be a value."""
    cdef _Array a = _array(array, PyBUF_STRIDES)
    cdef Py_buffer *view = &a.view
    cdef int type = -1
    if not (flat and width == 1 and view.ndim == 1) and (view.ndim != 2 or view.shape[1] != width):
        raise ValueError(f"{name} must have shape (rows, {width}), not {a.shape()}")
    if view.format[0] >= 0 and view.format[1] == 0:
        type = _type_of[view.format[0]]
    if type < 0:
        raise TypeError(f"{name} has format {view.format.decode()!r}, which the native engine cannot read")
    if width > 1 and view.strides[1] != view.itemsize:
        raise ValueError(f"the values of a row of {name} must be contiguous in memory")
    if (<size_t> view.buf | <size_t> view.strides[0]) % <size_t> view.itemsize:
        raise ValueError(f"{name} is not aligned in memory")
    table.data, table.type, table.width = view.buf, type, <int> width
    table.count, table.stride = view.shape[0], view.strides[0]
    return a
