"""How fast fastgd is, beside the machine's limit and beside others.

    pytest benchmarks                   every kernel row and workload on every engine, in a few minutes
    python -m benchmarks                the report of docs/performance, with the peers that are installed
    python -m benchmarks --quick        the same in less than three minutes, for everyday use
    python -m benchmarks.instructions   instructions of a step, which no other load on the machine changes
    python -m benchmarks.costs          what each option of a training costs over the plain step
    python -m benchmarks.partition      what many cores would get to do

Answers are checked against the NumPy engine in float64 before anything is timed.
"""
