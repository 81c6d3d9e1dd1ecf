"""Whether lower or higher values of a metric are better, as far as its name tells."""

from __future__ import annotations

import re

# What a name may end with, words joined by "_".  The lists cover the functions and scorers of scikit-learn, the metrics
# of Keras and torchmetrics, and what is usual elsewhere.
_LOWER = """
    loss cost risk regret error deviance divergence distance residual cross_entropy crossentropy xent log_cosh logcosh
    mse msle rmse rmsle rmspe nrmse mae mape mdape mad medae smape wape wmape mase mre mspe sse sae rss rae rse
    nll nlpd negative_log_likelihood_loss neg_log_likelihood_loss bpc bpd bits_per_byte bits_per_character perplexity
    ppl hinge huber pinball poisson brier crps ece mce wer cer mer fid kid lpips kl kld kl_div jensen_shannon mmd emd
    wasserstein misclassification misclassification_rate error_rate failure_rate miss_rate fall_out fallout eer hamming
    false_positives false_negatives false_positive_rate false_negative_rate false_discovery_rate false_omission_rate
    fp fn fpr fnr negative_likelihood_ratio davies_bouldin aic bic
"""
_HIGHER = """
    accuracy acc precision recall sensitivity specificity selectivity f1 f2 fbeta f_beta f_score f_measure fscore
    true_positives true_negatives true_positive_rate true_negative_rate tp tn tpr tnr ppv npv informedness
    positive_predictive_value negative_predictive_value positive_likelihood_ratio youden youden_j hamming_score
    auc auroc auprc average_precision ap map hit_rate hits hit success_rate win_rate mrr ndcg dcg gain corr
    mean_reciprocal_rank reciprocal_rank iou io_u dice jaccard kappa mcc phi matthews corrcoef correlation pearson
    spearman kendall pearsonr spearmanr ccc concordance concordance_index c_index gini lift signal_noise
    r2 rsquared r_squared explained_variance nse kge similarity likelihood reward return profit
    psnr ssim bleu rouge meteor chrf inception silhouette calinski_harabasz dunn consensus
    rand mutual_info mutual_information completeness homogeneity v_measure fowlkes_mallows
"""
_LOWER_ENDINGS, _HIGHER_ENDINGS = ("loss", "error", "crossentropy"), ("accuracy", "auc", "auroc", "similarity")
# Words behind it that say how it was computed: "f1_macro", "roc_auc_ovr_weighted", "recall_at_10".
_QUALIFIERS = """
    score scores measure coef coefficient index ratio rate mean avg average total macro micro weighted samples uniform
    binary multiclass multilabel ovo ovr roc pr at k top log root squared percent percentage train val test
"""
_PREFIXES = frozenset(("validation", "val", "training", "train", "test"))
_NEGATIONS = frozenset(("neg", "negative"))
_UNCLEAR = frozenset(("minus", "inverse", "inverted"))

_QUALIFYING_WORDS = frozenset(_QUALIFIERS.split())
_PHRASES = {tuple(p.split("_")): True for p in _LOWER.split()} | {tuple(p.split("_")): False for p in _HIGHER.split()}
_LONGEST = max(map(len, _PHRASES))


def lower_is_better(name: str) -> bool | None:
    """Whether lower values of a metric or of a column of the history are better; None if its name does not tell.

    Case and style do not matter: "validation_rmse", "RMSE", "val_MeanSquaredError", "error-rate".  "neg" reverses the
    direction of what follows, as in the names of scikit-learn's scorers.  A "score" of unknown kind should increase, by
    the convention of scikit-learn.

    Examples
    --------
    >>> lower_is_better("validation_rmse"), lower_is_better("F1Score"), lower_is_better("neg_log_loss")
    (True, False, False)
    >>> lower_is_better("validation_sevens") is None
    True
    """
    words = _words(name)
    words = words[1:] if words and words[0] in _PREFIXES else words
    if words[:1] == ["d2"] or "skill" in words:  # the share by which a loss is below that of a baseline
        return False
    lower, start = _last_phrase(words)
    before = set(words[:start])
    if lower is None or before & _UNCLEAR:
        return None
    return lower != bool(before & _NEGATIONS)


def _words(name: str) -> list[str]:
    """The words of a name in snake case, camel case or prose: "MeanSquaredError" -> mean, squared, error."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return [word for word in re.split(r"[^a-z0-9]+", snake.lower()) if word]


def _last_phrase(words: list[str]) -> tuple[bool | None, int]:
    """Direction and start of the phrase that the words end with, except for qualifiers and numbers behind it."""
    for end in range(len(words), 0, -1):
        for start in range(max(0, end - _LONGEST), end):
            lower = _PHRASES.get(tuple(words[start:end]))
            if lower is not None:
                return lower, start
        last = words[end - 1]
        if last.endswith(_LOWER_ENDINGS + _HIGHER_ENDINGS):
            return last.endswith(_LOWER_ENDINGS), end - 1
        if last not in _QUALIFYING_WORDS and not re.fullmatch(r"(top|k)?\d+", last):
            break
    return (False, len(words) - 1) if words[-1:] == ["score"] else (None, 0)
