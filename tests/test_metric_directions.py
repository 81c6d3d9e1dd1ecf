"""Whether lower or higher values of a metric are better."""

from functools import partial

import pytest
from training import fit, make

import fastgd as gd
from fastgd import callbacks, metrics
from fastgd.metrics import Metric, lower_is_better

# Metrics of other libraries as their documentation describes them.
SCIKIT_LEARN_LOWER = """
    brier_score_loss coverage_error davies_bouldin_score hamming_loss hinge_loss label_ranking_loss log_loss max_error
    mean_absolute_error mean_absolute_percentage_error mean_gamma_deviance mean_pinball_loss mean_poisson_deviance
    mean_squared_error mean_squared_log_error mean_tweedie_deviance median_absolute_error root_mean_squared_error
    root_mean_squared_log_error zero_one_loss
"""
KERAS_LOWER = """
    binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy kl_divergence poisson
    mean_squared_error root_mean_squared_error mean_absolute_error mean_absolute_percentage_error
    mean_squared_logarithmic_error logcosh hinge squared_hinge categorical_hinge false_positives false_negatives
    mse mae mape msle MSE MAE MAPE MSLE
"""
KERAS_HIGHER = """
    accuracy acc binary_accuracy categorical_accuracy sparse_categorical_accuracy top_k_categorical_accuracy
    sparse_top_k_categorical_accuracy auc precision recall true_positives true_negatives precision_at_recall
    recall_at_precision sensitivity_at_specificity specificity_at_sensitivity f1_score fbeta_score r2_score mean_io_u
    binary_io_u one_hot_mean_io_u cosine_similarity pearson_correlation concordance_correlation auc_1 precision_3
"""
TORCHMETRICS_LOWER = """
    MeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError SymmetricMeanAbsolutePercentageError
    WeightedMeanAbsolutePercentageError MeanSquaredLogError LogCoshError MinkowskiDistance TweedieDevianceScore
    RelativeSquaredError KLDivergence JensenShannonDivergence BinaryCalibrationError MulticlassHingeLoss
    HammingDistance Perplexity WordErrorRate CharErrorRate MatchErrorRate
    NormalizedRootMeanSquaredError
"""
TORCHMETRICS_HIGHER = """
    Accuracy BinaryAccuracy AUROC MulticlassAUROC AveragePrecision CohenKappa F1Score FBetaScore JaccardIndex
    MatthewsCorrCoef Precision Recall Specificity ExactMatchAccuracy R2Score ExplainedVariance PearsonCorrCoef
    SpearmanCorrCoef ConcordanceCorrCoef KendallRankCorrCoef CosineSimilarity Dice MeanIoU RetrievalMRR
    RetrievalNormalizedDCG RetrievalHitRate PeakSignalNoiseRatioPSNR BLEUScore ROUGEScore
"""
USUAL_LOWER = """
    RMSE RMSLE sMAPE WAPE nll NLL error_rate error-rate top_5_error misclassification_rate perplexity brier brier_score
    ece fnr FPR pinball crps wer validation_loss val_loss loss_1 negative_log_likelihood neg_accuracy price_mae
    log-loss logloss cross-entropy bits_per_character
"""
USUAL_HIGHER = """
    ACC accuracy_top5 acc@1 recall_at_10 precision@k ndcg@10 mAP IoU mIoU roc_auc auc_roc pr_auc PRAUC f1_macro F1 mcc
    kappa r2 R2 adjusted_r2 R-squared log_likelihood neg_log_loss neg_mean_squared_error neg_rmse val_neg_rmse
    brier_skill_score d2_pinball_score my_score reward hit_rate true_negative_rate negative_predictive_value
"""
UNKNOWN = """
    sevens lr learning_rate seconds epoch grad_norm bias coverage one_minus_auc inverse_error accuracy_std
    loss_reduction entropy generalization_gap heatmap f
"""


@pytest.mark.parametrize("prefix", ["", "validation_", "val_"])
@pytest.mark.parametrize(
    ("names", "lower"),
    [
        (SCIKIT_LEARN_LOWER, True),
        (KERAS_LOWER, True),
        (KERAS_HIGHER, False),
        (TORCHMETRICS_LOWER, True),
        (TORCHMETRICS_HIGHER, False),
        (USUAL_LOWER, True),
        (USUAL_HIGHER, False),
        (UNKNOWN, None),
    ],
)
def test_directions_of_names(names, lower, prefix):
    assert {name: lower_is_better(prefix + name) for name in names.split()} == dict.fromkeys(names.split(), lower)
    if prefix == "" and lower is not None:
        loud = [name for name in names.split() if name.islower()]
        assert {name: lower_is_better(name.upper()) for name in loud} == dict.fromkeys(loud, lower)


def test_directions_of_scikit_learn():
    """Every function that returns one number, and every scorer."""
    theirs = pytest.importorskip("sklearn.metrics")
    suffixes = ("_score", "_loss", "_error", "_coef", "_corrcoef", "_deviance")
    names = [name for name in theirs.__all__ if name.endswith(suffixes)]
    assert len(names) > 40
    for name in names:
        assert metrics.get(name).lower_is_better == (name in SCIKIT_LEARN_LOWER.split()), name
    for name in theirs.get_scorer_names():
        assert metrics.get(name).lower_is_better is False, name
        assert lower_is_better(name) is False, name


def test_a_metric_carries_its_direction():
    def gap(y_true, y_pred):
        return abs((y_true - y_pred).mean())

    class Object:
        greater_is_better = False

        def __call__(self, y_true, y_pred):
            return 0.0

    assert metrics.get(gap).lower_is_better is None
    assert Metric("gap", gap, lower_is_better=True).lower_is_better is True
    assert Metric("rmse_of_mine", gap, lower_is_better=False).lower_is_better is False
    assert metrics.get(Object()).lower_is_better is True
    setattr(gap, "higher_is_better", True)  # noqa: B010 (unknown to type checkers)
    assert metrics.get(gap).lower_is_better is False
    assert metrics.get(partial(gap)).lower_is_better is None


MONITORS = [
    gd.EarlyStopping,
    callbacks.BestEpoch,
    gd.ReduceLROnPlateau,
    lambda column, **options: callbacks.Checkpoint("best.npz", best=column, **options),
]


@pytest.mark.parametrize("monitor", MONITORS)
def test_an_unknown_direction_is_asked_for_before_the_training(monitor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def sevens(y_true, y_pred):
        return 0.5

    trainer = make(metrics=[sevens])
    words = r"'validation_sevens', .* lower or higher values are better: pass mode=\"min\" or mode=\"max\""
    with pytest.raises(ValueError, match=words):
        fit(trainer, 1, validation=0.2, callbacks=[monitor("validation_sevens")])
    assert (trainer.step, list(tmp_path.iterdir())) == (0, [])
    fit(trainer, 1, validation=0.2, callbacks=[monitor("validation_sevens", mode="max")])
    known = make(metrics=[Metric("sevens", sevens, lower_is_better=True)])
    fit(known, 1, validation=0.2, callbacks=[monitor("validation_sevens")])


@pytest.mark.parametrize("name", ["rmse", "mae", "mape", "mse"])
def test_early_stopping_restores_the_best_epoch_of_an_error(engine, name):
    trainer = make("mse", gd.SGD(lr=0.3), metrics=[name])
    stopping = gd.EarlyStopping(f"validation_{name}", patience=5)
    history = fit(trainer, 60, validation=0.3, callbacks=[stopping])
    assert stopping.best == min(history[f"validation_{name}"])


def test_a_scorer_that_cannot_be_measured_is_refused_before_the_training():
    pytest.importorskip("sklearn")
    trainer = make(metrics=["f1"])  # of two classes
    with pytest.raises(ValueError, match="the metric 'f1' cannot be measured here: Target is multiclass"):
        fit(trainer, 1, validation=0.4)
    assert trainer.step == 0


def test_scorers_measure_what_scikit_learn_does():
    theirs = pytest.importorskip("sklearn.metrics")
    scorer = theirs.make_scorer(theirs.mean_pinball_loss, greater_is_better=False, alpha=0.9)
    trainer = make("mse", metrics=["neg_mean_squared_error", scorer, "mse"])
    history = fit(trainer, 2, validation=0.3)
    assert history["validation_neg_mean_squared_error"] == pytest.approx([-v for v in history["validation_mse"]])
    assert max(history["validation_neg_mean_pinball_loss"]) < 0
    trainer = make(metrics=["roc_auc_ovr", "f1_macro", "neg_log_loss", "balanced_accuracy"])
    w = [1.0, 2.0] * 25
    history = fit(trainer, 2, validation=0.4, sample_weight=w)
    assert 0.5 < history["validation_roc_auc_ovr"][-1] <= 1
    assert history["validation_neg_log_loss"][-1] == pytest.approx(-history["validation_loss"][-1], rel=1e-5)
