"""What differs between the releases of scikit-learn, from 1.5 on."""

from __future__ import annotations

from typing import Any

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # before 1.6

    def validate_data(estimator: Any, X: Any, y: Any = "no_validation", **checks: Any) -> Any:
        """Check X, and y if it is given, as the release in use does; see `sklearn.utils.validation`."""
        return estimator._validate_data(X, y, **checks)


try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Estimators have no `set_callbacks`."""

    def with_callbacks(method: Any) -> Any:
        """The method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "validate_data", "with_callbacks"]
