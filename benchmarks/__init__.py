"""How fast fastgd is, compared with the limits of the machine and with other libraries.

    pytest benchmarks                   every kernel and workload on every engine, in a few minutes
    python -m benchmarks                the report in docs/performance, with all peers, for the CPU at hand
    python -m benchmarks --quick        a shorter run in less than three minutes, for everyday use
    python -m benchmarks.instructions   instructions per step, which do not depend on other load on the machine
    python -m benchmarks.costs          what each training option costs compared with the plain step
    python -m benchmarks.partition      what many cores would compute, simulated
    python -m benchmarks.phases         where the time of a step goes, on each thread

Results are checked against the NumPy engine in float64 before anything is timed.
"""
