"""Building blocks shared by all sub-packages: types, argument checks, registries, exact arithmetic."""
