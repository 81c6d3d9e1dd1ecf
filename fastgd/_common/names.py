"""Names that other libraries use, each with what to write instead; only error messages read them.

Names of arguments are those of PyTorch, Keras and scikit-learn. An argument that a callable does not have may belong to
another one, so besides the name there is the place.
"""

from __future__ import annotations

# An argument of fastgd: what others call it. A name may stand for several; the first that a callable has is meant.
_ARGUMENTS = {
    "lr": "learning_rate learning_rate_init eta0 base_lr max_lr init_lr initial_learning_rate",
    "momentum": "momentums nesterov_momentum mu",
    "nesterov": "nesterovs_momentum use_nesterov",
    "betas": "beta beta1 beta2 beta_1 beta_2",
    "alpha": "rho",
    "rho": "alpha",
    "eps": "epsilon",
    "weight_decay": "alpha l2 wd decay weight_decay_rate reg_lambda kernel_regularizer regularization",
    "l1": "l1_penalty l1_reg",
    "clip_norm": "clipnorm global_clipnorm max_grad_norm grad_clip gradient_clip_val",
    "clip_value": "clipvalue",
    "average": "use_ema ema averaging",
    "epochs": "epoch max_iter n_epochs num_epochs max_epochs nb_epoch n_iter T_max T_0 total_iters total_steps "
    "decay_steps",
    "validation": "validation_split validation_data validation_fraction validation_size val eval_set test_size",
    "sample_weight": "sample_weights weights",
    "class_weight": "class_weights weight",
    "callbacks": "callback",
    "verbose": "verbosity",
    "augment": "augmentation transform",
    "classes": "class_names categories label_names",
    "standardize": "normalize normalization standardization scale scaler scaling",
    "loss": "criterion loss_fn loss_function objective",
    "optimizer": "optimiser optim opt solver algorithm",
    "batch_size": "batchsize bs minibatch_size mini_batch_size",
    "accumulate": "accumulation accumulate_grad_batches gradient_accumulation_steps",
    "seed": "random_state random_seed manual_seed rng generator",
    "n_threads": "n_jobs num_threads threads nthread workers num_workers",
    "metrics": "metric scoring scorer",
    "n_in": "in_features input_dim input_size input_shape n_features",
    "n_out": "units out_features output_dim output_size n_outputs",
    "activation": "act nonlinearity activation_function",
    "output": "output_activation out_activation",
    "bias": "use_bias fit_intercept",
    "init": "kernel_initializer weight_init weight_initializer initializer",
    "bias_init": "bias_initializer",
    "dropout": "dropout_rate dropout_p drop_rate",
    "p": "rate dropout_rate",
    "std": "stddev sigma standard_deviation scale",
    "low": "a minval lower",
    "high": "b maxval upper",
    "negative_slope": "alpha slope",
    "label_smoothing": "smoothing",
    "ignore_index": "ignore_label ignore_class",
    "pos_weight": "positive_weight",
    "delta": "beta",
    "quantiles": "quantile q tau alpha",
    "factor": "gamma decay_rate T_mult t_mul",
    "every": "step_size decay_steps",
    "rate": "decay_rate",
    "up": "step_size_up",
    "down": "step_size_down",
    "start": "base_lr",
    "final": "eta_min end_learning_rate end_value end_lr min_lr stop_factor_lr",
    "peak": "pct_start",
    "patience": "n_iter_no_change",
    "restore_best": "restore_best_weights",
    "min_delta": "threshold",
    "path": "filepath file filename",
    "precision": "mixed_precision amp autocast use_amp",
}
OURS: dict[str, list[str]] = {}
for _ours, _others in _ARGUMENTS.items():
    for _other in _others.split():
        OURS.setdefault(_other, []).append(_ours)

# Where an argument belongs that a callable does not have.
_PLACES = {
    "set {0} on the optimizer, as in optimizer=SGD({0}=...)": "lr momentum dampening nesterov weight_decay l1 "
    "clip_norm clip_value max_norm average groups",
    "set {0} on the optimizer, as in optimizer=Adam({0}=...)": "betas eps amsgrad",
    "pass {0} to fit, as in trainer.fit(X, y, {0}=...)": "epochs validation sample_weight class_weight callbacks tol "
    "n_iter_no_change verbose augment",
    "pass {0} to the trainer, as in Trainer(model, {0}=...)": "loss optimizer batch_size accumulate shuffle n_threads "
    "metrics grad_norm train_metrics precision",
    "pass {0} to the model, as in MLP(64, 32, 10, {0}=...)": "activation output dropout bias init bias_init dtype seed",
    "pass a callback to fit, as in callbacks=[EarlyStopping({0}=...)]": "patience restore_best min_delta monitor",
    "set {0} on the loss, as in loss=CrossEntropy({0}=...)": "label_smoothing ignore_index",
    "set {0} on the loss, as in loss=BCE({0}=...)": "pos_weight",
}
PLACES = {name: place.format(name) for place, names in _PLACES.items() for name in names.split()}

_WIDTHS = "the widths are positional, as in MLP(64, 100, 10)"
_MEAN = "a loss is the mean over the rows; its method per_row returns the loss of each"
_PARAMETERS = "an optimizer takes no parameters; it updates those of the model that it trains"
_SCHEDULE = "pass a schedule as lr, as in SGD(lr=Cosine(0.1))"
# Arguments without a counterpart.
REMARKS = {
    **dict.fromkeys(("hidden_layer_sizes", "hidden_sizes", "hidden_units", "layers", "layer_sizes", "widths"), _WIDTHS),
    "early_stopping": "pass a callback to fit, as in callbacks=[EarlyStopping(patience=5)]",
    "warm_start": "a second call to fit continues where the first one ended",
    "from_logits": "losses take the outputs of the last layer as logits: leave its activation at 'identity'",
    "reduction": _MEAN,
    "size_average": _MEAN,
    "params": _PARAMETERS,
    "parameters": _PARAMETERS,
    "device": "fastgd runs on the CPU",
    "initial_epoch": "a second call to fit continues where the first one ended",
    "scheduler": _SCHEDULE,
    "lr_scheduler": _SCHEDULE,
    "learning_rate_schedule": _SCHEDULE,
}

_FIT = "a Trainer trains it: Trainer(model, loss=...).fit(X, y)"
_PARAMETERS_OF_MODEL = "theta is the vector of all parameters, and parameters() returns named views of it"
_MODES = "dropout and noise act only in training: in fit, and in forward(X, training=True)"
# Attributes that the objects of other libraries have, by class.
ATTRIBUTES = {
    "Sequential": {
        **dict.fromkeys(("fit", "compile", "partial_fit"), _FIT),
        **dict.fromkeys(("evaluate", "score"), "a Trainer measures it: Trainer(model, loss=...).evaluate(X, y)"),
        **dict.fromkeys(("state_dict", "weights", "get_weights", "coefs_", "named_parameters"), _PARAMETERS_OF_MODEL),
        **dict.fromkeys(("load_state_dict", "set_weights", "load_weights"), _PARAMETERS_OF_MODEL),
        **dict.fromkeys(("train", "eval"), _MODES),
        **dict.fromkeys(("add", "append"), "Sequential(*model.stack, layer) is a model with one more layer"),
        **dict.fromkeys(("to", "cpu", "cuda"), "fastgd runs on the CPU"),
        "zero_grad": "backward(dZ) overwrites the gradient, so nothing has to be zeroed",
    },
    "Trainer": {
        **dict.fromkeys(("predict", "predict_proba"), "the trained model predicts: trainer.model.predict(X)"),
        "train": "call fit(X, y)",
        "partial_fit": "call fit(X, y, epochs=1): each call continues where the last one ended",
        "compile": "loss, optimizer and metrics are settings: Trainer(model, loss=..., optimizer=...)",
        "summary": "it is a method of the model: trainer.model.summary()",
        "score": "call evaluate(X, y)",
        "lr": "it is a setting of the optimizer: trainer.optimizer.lr",
    },
    "Optimizer": {
        "zero_grad": "backward(dZ) overwrites the gradient, so nothing has to be zeroed",
        "param_groups": "the settings are attributes of the optimizer; groups= has factors for some parameters",
        "learning_rate": "it is called lr",
        **dict.fromkeys(("minimize", "apply_gradients"), "call step(model) after model.backward(dZ)"),
    },
    "History": {
        "history": "the history is itself a mapping, as in history['loss']",
    },
    "Loss": {
        "backward": "gradient(Z, Y) is the derivative with respect to Z, which model.backward takes",
    },
}

# A public name of fastgd, seen from the package: what others call it.
_PUBLIC = {
    "Dense": "Linear FullyConnected Layer",
    "Sequential": "Model Module Network NeuralNetwork",
    "MLP": "MLPClassifier MLPRegressor",
    "Trainer": "Learner fit train",
    "CrossEntropy": "CrossEntropyLoss NLLLoss CategoricalCrossentropy SparseCategoricalCrossentropy LogLoss",
    "BCE": "BCELoss BCEWithLogitsLoss BinaryCrossentropy BinaryCrossEntropy",
    "MSE": "MSELoss MeanSquaredError SquaredError",
    "MAE": "L1Loss MeanAbsoluteError AbsoluteError",
    "Huber": "HuberLoss SmoothL1Loss",
    "KLDiv": "KLDivLoss KLDivergence",
    "Poisson": "PoissonNLLLoss",
    "Quantile": "Pinball PinballLoss QuantileLoss",
    "Hinge": "HingeLoss",
    "Focal": "FocalLoss CategoricalFocalCrossentropy",
    "BinaryFocal": "BinaryFocalCrossentropy SigmoidFocalLoss",
    "SiLU": "Swish",
    "Sigmoid": "Logistic",
    "Identity": "LinearActivation",
    "HardSigmoid": "Hardsigmoid",
    "HardSwish": "Hardswish HardSiLU",
    "HardTanh": "Hardtanh",
    "Cosine": "CosineAnnealingLR CosineDecay CosineAnnealing",
    "CosineRestarts": "CosineAnnealingWarmRestarts CosineDecayRestarts",
    "Cyclic": "CyclicLR CyclicalLearningRate",
    "Exponential": "ExponentialLR ExponentialDecay",
    "InverseTime": "InverseTimeDecay",
    "MultiStep": "MultiStepLR",
    "OneCycle": "OneCycleLR",
    "Piecewise": "PiecewiseConstant PiecewiseConstantDecay",
    "Polynomial": "PolynomialLR PolynomialDecay",
    "Step": "StepLR",
    "Warmup": "LinearLR LinearWarmup",
    "EMA": "ExponentialMovingAverage AveragedModel",
    "ReduceLROnPlateau": "ReduceOnPlateau",
    "Checkpoint": "ModelCheckpoint",
    "schedules": "lr_scheduler",
    "optimizers": "optim optimisers",
    "initializers": "init initialisers",
    "datasets.digits": "load_digits",
    "load": "load_model load_state_dict",
    "lr_finder": "LRFinder",
    "fit_lbfgs": "LBFGS",
    "Split": "train_test_split",
}
PUBLIC = {other: ours for ours, others in _PUBLIC.items() for other in others.split()}
