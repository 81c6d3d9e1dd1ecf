"""The page of `Dashboard`: who may open it, and that it ends."""

import copy
import json
import os
import pickle
import re
import subprocess
import sys
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from dashboards import ask, fit, make_trainer

import fastgd as gd
from fastgd.callbacks.dashboard_server import PageServer


@pytest.fixture
def dashboard(capsys):
    dashboard = gd.Dashboard()
    yield dashboard
    dashboard.close()


def test_the_address_is_printed_once(dashboard, capsys):
    assert dashboard.url is None
    trainer = fit(dashboard)
    fit(dashboard, trainer)
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"fastgd: watch the training at {dashboard.url}\n")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{22}", dashboard.url)


def test_the_page_needs_no_other_file(dashboard):
    fit(dashboard)
    status, headers, page = ask(dashboard.url)
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers
    assert not re.search(rb'(src|href)="(?!data:,)|@import|url\(', page)
    assert set(re.findall(rb"https?://[^\"' ]*", page)) == {b"http://www.w3.org/2000/svg"}  # a name, not an address


@pytest.mark.parametrize("path", ["/", "/data", "/other"])
@pytest.mark.parametrize(
    "wrong", [{"token": ""}, {"token": "x" * 22}, {"token": "%C3%A9"}, {"host": "evil.example"}, {"host": "127.0.0.1"}]
)
def test_only_with_token_and_host(dashboard, path, wrong):
    fit(dashboard)
    status, _, content = ask(dashboard.url, path, **wrong)
    assert status == 403
    assert b"token" in content


def test_other_requests(dashboard):
    fit(dashboard)
    parts = urlsplit(dashboard.url)
    assert ask(dashboard.url, "/other")[0] == 404
    assert ask(dashboard.url, method="POST")[0] == 501
    assert ask(dashboard.url, host=f"localhost:{parts.port}")[0] == 200  # as through a tunnel


def test_a_page_that_knows_the_data(dashboard):
    fit(dashboard)
    version = json.loads(ask(dashboard.url, "/data")[2])["version"]
    assert ask(dashboard.url, "/data", version=version)[::2] == (204, b"")
    assert ask(dashboard.url, "/data", version=version - 1)[0] == 200


def test_two_trainings_at_once(capsys):
    dashboards = [gd.Dashboard(), gd.Dashboard()]
    threads = [threading.Thread(target=fit, args=(each,)) for each in dashboards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = (str(each.url) for each in dashboards)
    assert urlsplit(first).port != urlsplit(second).port
    assert ask(first, token=parse_qs(urlsplit(second).query)["token"][0])[0] == 403
    for each in dashboards:
        each.close()


def test_a_port_in_use(dashboard, capsys):
    fit(dashboard)
    trainer = make_trainer()
    before, port = trainer.model.theta.copy(), urlsplit(dashboard.url).port
    with pytest.raises(OSError, match=f"port {port} of 127.0.0.1 cannot be used"):
        fit(gd.Dashboard(port=port), trainer)
    assert (trainer.model.theta == before).all()


def test_a_port_that_does_not_exist():
    with pytest.raises(ValueError, match="port must be"):
        gd.Dashboard(port=70000)


def test_closing(dashboard):
    trainer = fit(dashboard)
    url = dashboard.url
    dashboard.close()
    assert dashboard.url is None
    with pytest.raises(ConnectionError):
        ask(url)
    fit(dashboard, trainer)  # another page
    assert dashboard.url != url


def test_the_last_update_is_waited_for():
    """A page that is open gets the end of the training, though the process ends at once."""
    server = PageServer()
    server.publish(b'"running"')
    assert ask(server.url, "/data")[0] == 200
    server.publish(b'"finished"')
    closing = threading.Thread(target=server.close)
    closing.start()
    assert json.loads(ask(server.url, "/data", version=1)[2])["data"] == "finished"
    closing.join(timeout=10)
    assert not closing.is_alive()


def test_a_page_that_was_closed_is_not_waited_for(monkeypatch):
    server = PageServer()
    waits = []
    monkeypatch.setattr(server._changed, "wait_for", lambda *args: waits.append(args))
    server.publish(b'"finished"')
    server.close()
    assert not waits


def test_copies_have_a_page_of_their_own(dashboard, capsys):
    fit(dashboard)
    for other in (copy.deepcopy(dashboard), pickle.loads(pickle.dumps(dashboard))):
        assert other.url is None
        fit(other)
        assert other.url not in (None, dashboard.url)
        other.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_processes_have_a_page_of_their_own(monkeypatch):
    server = PageServer()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert server.is_foreign
    server.close()  # of the parent
    monkeypatch.undo()
    assert ask(server.url)[0] == 200
    server.close()


SCRIPT = """
import fastgd as gd
X, y = gd.datasets.digits()
trainer = gd.Trainer(gd.MLP(64, 10, seed=0), loss="cross_entropy")
trainer.fit(X / 16, y, epochs=2, callbacks=[gd.Dashboard()], verbose=0)
"""


def test_the_page_ends_with_the_process():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert re.fullmatch(r"fastgd: watch the training at http://\S+\n", done.stderr)
    with pytest.raises(ConnectionError):
        ask(done.stderr.split()[-1])


def test_a_closed_standard_error_is_no_reason_not_to_train(dashboard, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    fit(dashboard)
    assert dashboard.url is not None
