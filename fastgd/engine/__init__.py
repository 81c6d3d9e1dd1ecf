"""Engines: the arithmetic of networks, in C (`_native`) and in NumPy (`numpy_engine`)."""
