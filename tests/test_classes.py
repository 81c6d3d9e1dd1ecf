"""Classes declared beforehand, for training in chunks that lack some of them."""

import numpy as np
import pytest
from training import blobs

import fastgd as gd

X, INDEX = blobs(60)
NAMES = np.array(["ant", "bee", "cat"])


def made(loss="cross_entropy", n_out=3):
    return gd.Trainer(gd.MLP(4, n_out, seed=0), loss=loss, optimizer=gd.SGD(lr=0.1), shuffle=False, batch_size=10)


LABELS = {
    "text": NAMES,
    "numbers": np.array([10, 20, 30]),
    "indices": np.arange(3),
    "dates": np.array(["2020", "2021", "2022"], "M8[Y]"),
    "objects": np.array(["ant", 1, b"x"], object),
}


@pytest.mark.parametrize("given", [list, lambda labels: labels[[2, 0, 1, 0]]], ids=["a list", "in another order"])
@pytest.mark.parametrize("case", LABELS)
def test_chunks_may_lack_classes(engine, case, given):
    labels = LABELS[case]
    if case == "objects" and given is not list:
        pytest.skip("labels without an order keep that of their declaration")
    order = np.argsort(INDEX, kind="stable")  # one class after the other
    y = labels[INDEX]
    chunked, whole = made(), made()
    for start in range(0, 60, 20):
        rows = order[start : start + 20]
        chunked.fit(X[rows], y[rows], epochs=1, classes=given(labels) if start == 0 else None, verbose=0)
    whole.fit(X[order], y[order], epochs=1, verbose=0)
    np.testing.assert_array_equal(chunked.model.theta, whole.model.theta)
    assert chunked.model.head.classes.tolist() == whole.model.head.classes.tolist()
    assert chunked.model.predict(X).tolist() == whole.model.predict(X).tolist()


def test_two_classes_with_one_output(engine):
    trainer = made("bce", 1)
    trainer.fit(X, np.full(60, "yes"), epochs=1, classes=["yes", "no"], verbose=0)
    assert trainer.model.head.classes.tolist() == ["no", "yes"]
    trainer.fit(X, np.full(60, "no"), epochs=50, verbose=0)
    assert set(trainer.model.predict(X)) == {"no"}


def test_classes_name_the_columns_of_probabilities():
    trainer = made()
    trainer.fit(X, np.eye(3)[INDEX], epochs=30, classes=NAMES, verbose=0)
    assert (trainer.model.predict(X) == NAMES[INDEX]).mean() > 0.9
    with pytest.raises(ValueError, match=r"y has probabilities of 3 classes, but there are 2 classes \('ant', 'bee'\)"):
        made().fit(X, np.eye(3)[INDEX], epochs=1, classes=NAMES[:2], verbose=0)


def test_fewer_classes_than_outputs_and_validation():
    trainer = made(n_out=5)
    rows = INDEX == 0
    trainer.fit(X[rows], NAMES[INDEX[rows]], epochs=1, classes=NAMES, validation=(X, NAMES[INDEX]), verbose=0)
    assert trainer.model.predict_proba(X).shape == (60, 3)
    trainer.fit(X, NAMES[INDEX], epochs=1, classes=NAMES[::-1], verbose=0)  # the same ones again


BAD = {
    "a label that was not declared": ({"classes": NAMES[:2]}, ValueError, "y has the label 'cat' in row 2, but the"),
    "too many": ({"classes": list("abcd")}, ValueError, "classes has 4 classes .* but the model has 3 outputs"),
    "none": ({"classes": []}, ValueError, "classes is empty"),
    "a number": ({"classes": 3}, ValueError, r"classes must have shape \(rows,\)"),
    "a table": ({"classes": [["ant", "bee"]]}, ValueError, "classes must have one label per row"),
    "missing": ({"classes": ["ant", None]}, ValueError, r"classes has no label in row 1 \(None\)"),
    "objects": ({"classes": [object(), "ant"]}, TypeError, "labels must be text, .* but classes has"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_classes(case):
    options, error, words = BAD[case]
    trainer = made()
    with pytest.raises(error, match=words):
        trainer.fit(X, NAMES[INDEX], epochs=1, verbose=0, **options)
    assert trainer.model.head.classes is None


def test_where_there_are_no_classes():
    for loss, n_out, y in (("mse", 1, INDEX), ("bce", 3, np.eye(3)[INDEX]), ("hinge", 3, 2 * np.eye(3)[INDEX] - 1)):
        with pytest.raises(ValueError, match=f"classes= needs one class per row, but the loss '{loss}' on {n_out} "):
            made(loss, n_out).fit(X, y, epochs=1, classes=[0, 1], verbose=0)
    with pytest.raises(ValueError, match="with one output, classes must hold two labels, not 3 classes"):
        made("bce", 1).fit(X, INDEX > 0, epochs=1, classes=[0, 1, 2], verbose=0)
    trainer = made()
    trainer.fit(X, NAMES[INDEX], epochs=1, verbose=0)
    with pytest.raises(ValueError, match=r"classes has 2 classes .*was trained on 3 classes .*model\.reset\(\)"):
        trainer.fit(X, NAMES[INDEX], epochs=1, classes=["ant", "bee"], verbose=0)


def test_batches_may_lack_classes(engine):
    """As `fit` of one batch each; only the first call declares them."""
    one, two = made(), made()
    for start in range(0, 60, 20):
        rows = np.argsort(INDEX, kind="stable")[start : start + 20]
        declared = NAMES if start == 0 else None
        one.train_on_batch(X[rows], NAMES[INDEX[rows]], classes=declared)
        two.batch_size = None
        two.fit(X[rows], NAMES[INDEX[rows]], epochs=1, classes=declared, verbose=0)
    np.testing.assert_allclose(one.model.theta, two.model.theta, rtol=1e-5, atol=1e-6)
    assert one.model.head.classes.tolist() == NAMES.tolist()
    with pytest.raises(ValueError, match="classes has 2 classes"):
        one.train_on_batch(X, NAMES[INDEX], classes=NAMES[:2])
