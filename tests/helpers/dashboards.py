"""Trainings with a dashboard, and questions to its page."""

import http.client
import json
from urllib.parse import parse_qs, urlsplit

import fastgd as gd

X, y = gd.datasets.digits()
X = X[:400] / 16
y = y[:400]


def ask(url, path="/", token=None, host=None, method="GET", **query):
    """Status, headers and content of an answer of the page's server."""
    parts = urlsplit(url)
    known = parse_qs(parts.query)["token"][0]
    query = "".join(f"&{name}={value}" for name, value in query.items())
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        address = f"{path}?token={known if token is None else token}{query}"
        connection.request(method, address, headers={"Host": host or parts.netloc})
        reply = connection.getresponse()
        return reply.status, dict(reply.headers), reply.read()
    finally:
        connection.close()


def data_of(url):
    """What the page shows."""
    status, _, content = ask(url, "/data")
    assert status == 200
    return json.loads(content)["data"]


def make_trainer(*widths, **settings):
    settings = {"loss": "cross_entropy", "optimizer": gd.Adam(lr=gd.Cosine(0.003))} | settings
    return gd.Trainer(gd.MLP(*(widths or (64, 32, 16, 10)), seed=0), **settings)


def fit(dashboard, trainer=None, epochs=3, **options):
    trainer = make_trainer() if trainer is None else trainer
    trainer.fit(X, y, epochs=epochs, callbacks=[dashboard], verbose=0, **{"validation": 0.2} | options)
    return trainer
