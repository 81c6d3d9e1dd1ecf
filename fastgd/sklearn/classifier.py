"""The multilayer perceptron that classifies."""

from __future__ import annotations

from typing import Any

from .targets import Classifier


class MLPClassifier(Classifier):
    """A multilayer perceptron that classifies: `sklearn.neural_network.MLPClassifier`, trained by fastgd.

    Parameters up to `max_fun` have the meaning and the defaults that they have in scikit-learn; those after it are
    fastgd's.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int >= 1, default=(100,)
        Number of units of each hidden layer.
    activation : str, Activation or sequence of them, default="relu"
        Activation of the hidden layers, or of each: "identity", "logistic", "tanh", "relu", or another one in
        `fastgd.activations.ACTIVATIONS`.
    solver : str or Optimizer, default="adam"
        "adam", "sgd", "lbfgs" (all rows at once), or another one in `fastgd.optimizers.OPTIMIZERS`.  The settings of an
        object such as `gd.AdamW(lr=gd.Cosine(0.003), weight_decay=0.1)` are its own: alpha, learning_rate,
        learning_rate_init and what belongs to "sgd" and "adam" have no effect then.
    alpha : float >= 0, default=0.0001
        L2 penalty: alpha / 2 times the sum of the squared weights, divided by the number of rows of the batch, is added
        to the loss.  Biases are not penalized.  Optimizers with decoupled weight decay keep their own instead.
    batch_size : int >= 1 or "auto", default="auto"
        Rows of a step; "auto": 200, or all rows if there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}, schedule or callable, default="constant"
        For "sgd", "invscaling" divides learning_rate_init by the number of rows seen to the power of power_t, and
        "adaptive" divides it by 5 each time the training would end.  A schedule of fastgd, or a function of the epoch,
        is the learning rate itself, of any solver but "lbfgs".
    learning_rate_init : float > 0, default=0.001
        Learning rate at the beginning.
    power_t : float >= 0, default=0.5
        Exponent of "invscaling".
    max_iter : int >= 1, default=200
        Maximum number of epochs, or of steps of "lbfgs".
    shuffle : bool, default=True
        Whether to shuffle the rows in each epoch.
    random_state : int, RandomState or None, default=None
        Determines initial values, validation rows, order of the rows and dropout.  The first two are those that
        scikit-learn has with the same `random_state`.
    tol : float >= 0, default=1e-4
        The training ends when the loss, or with early_stopping the score, has not improved by more than this for more
        than n_iter_no_change epochs in a row; "lbfgs": when no component of the gradient is larger.
    verbose : bool or int >= 0, default=False
        Whether to print the loss of each epoch.
    warm_start : bool, default=False
        Whether `fit` starts from the solution of the previous `fit`.
    momentum : float in [0, 1), default=0.9
        Momentum of "sgd".
    nesterovs_momentum : bool, default=True
        Whether it is Nesterov's.
    early_stopping : bool, default=False
        Whether validation rows decide when to stop, and which epoch to keep: those of `eval_set`, or else
        validation_fraction of the training rows.
    validation_fraction : float in [0, 1), default=0.1
        Share of the rows to hold out; of two classes, the same share of each.
    beta_1, beta_2 : float in [0, 1), default=0.9, 0.999
        Decay rates of the running means of "adam".
    epsilon : float > 0, default=1e-8
        Added to the divisor of "adam".
    n_iter_no_change : int >= 1 or inf, default=10
        See `tol`.
    max_fun : int >= 1, default=15000
        Maximum number of evaluations by "lbfgs".
    loss : str or Loss, default="log_loss"
        "log_loss", or a loss of fastgd for classes: "focal", `gd.CrossEntropy(label_smoothing=0.1)`; for two classes
        and for several labels per row also "bce", "hinge", "squared_hinge", "binary_focal".
    class_weight : dict, "balanced", list of dict or None, default=None
        Weight of each class, as in scikit-learn's other classifiers; it multiplies `sample_weight`.
    dropout : float in [0, 1), schedule or callable, default=0.0
        Probability that the output of a hidden unit is dropped in a training step.
    scoring : str, callable, Metric or None, default=None
        What early_stopping looks at: "loss", or a metric as in `Trainer(metrics=[...])`, such as "f1_macro",
        "roc_auc_ovr" or a function (y_true, y_pred) -> float.  None: the accuracy.
    callbacks : sequence of fastgd.Callback or None, default=None
        Called during the training.
    n_threads : int >= 1 or None, default=None
        Maximum number of threads; None leaves it to the engine.  The results do not depend on it.
    precision : {"f32", "bf16"}, default="f32"
        "bf16": the network is float32 whatever X is, and trained with products in bfloat16, as by a `Trainer` of this
        precision; predictions are in float32.  Not for "lbfgs".  "f32": all arithmetic in the dtype of X.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted; the numbers of the columns for several labels per row.
    network_ : Sequential
        The network, which can be saved and used without scikit-learn.
    history_ : History
        Loss, learning rate, and what was measured on validation rows, by epoch; `history_.plot()` draws them.
    coefs_, intercepts_ : list of ndarray
        Weights (n_in, n_out) and biases (n_out,) of each layer.  Changing them changes the network.
    loss_, best_loss_ : float
        Loss of the last epoch, the penalty included, and the lowest one; `best_loss_` is None with early_stopping.
    loss_curve_ : list of float
        Loss of each epoch.
    validation_scores_, best_validation_score_ : list of float and float, or None
        Score of each epoch, and the best one, with early_stopping.
    n_iter_, t_ : int
        Number of epochs or steps of the last `fit`, and of rows that were trained on in all.
    n_layers_, n_outputs_, n_features_in_ : int
        Number of layers, the inputs included; of outputs; of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if X was a data frame.
    out_activation_ : str
        What makes the outputs probabilities: "logistic" or "softmax".

    See Also
    --------
    LinearClassifier : The same without hidden layers.
    fastgd.Trainer : What trains the network.

    Notes
    -----
    docs/scikit-learn.md lists what differs from scikit-learn.

    References
    ----------
    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
    Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015.

    Examples
    --------
    >>> from fastgd.sklearn import MLPClassifier
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.model_selection import train_test_split
    >>> X, y = make_classification(n_samples=100, random_state=1)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=1)
    >>> classifier = MLPClassifier(solver="lbfgs", random_state=1).fit(X_train, y_train)
    >>> classifier.predict(X_test[:5])
    array([1, 0, 1, 0, 1])
    >>> classifier.score(X_test, y_test) > 0.85
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        loss: Any = "log_loss",
        class_weight: Any = None,
        dropout: Any = 0.0,
        scoring: Any = None,
        callbacks: Any = None,
        n_threads: int | None = None,
        precision: str = "f32",
    ) -> None:
        self._store(locals())
