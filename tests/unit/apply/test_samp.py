"""The SAMP buttons of the HTML page: a real hub with the web profile, another program, and a browser."""

import socket
import threading

import pandas as pd
import pyarrow as pa
import pytest
from astropy.samp import SAMPHubServer, SAMPIntegratedClient, conf
from astropy.samp.hub import WebProfileDialog
from browser import CHROMIUM, browser

from crossz.apply.answer import finished
from crossz.apply.html_page import write_page_of

PORT = 21012  # the web profile has no other
NAME = 'a & b <c> "é'


class Consent(WebProfileDialog):
    """The hub's question to its user, answered with yes as soon as it is asked."""

    def __init__(self):
        super().__init__()
        self.ended = threading.Event()

    def show_dialog(self, *asked):
        self.consent()

    def answer(self):
        while not self.ended.wait(0.05):
            self.handle_queue()


@pytest.fixture
def program(tmp_path, monkeypatch):
    """(mtypes, messages, event): what a program at a hub receives; the event is set at each message."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with socket.socket() as probe:
        if not probe.connect_ex(("127.0.0.1", PORT)):
            pytest.skip("a hub of SAMP runs here already")
    conf.use_internet = False
    dialog, messages, event = Consent(), [], threading.Event()
    answers = threading.Thread(target=dialog.answer)
    answers.start()
    hub = SAMPHubServer(
        addr="127.0.0.1", lockfile=str(tmp_path / "samp"), mode="multiple", web_profile_dialog=dialog, web_port=PORT
    )
    hub.start()
    client = SAMPIntegratedClient(name="program", addr="127.0.0.1")
    client.connect(hub=hub)

    def receive(private_key, sender, mtype, params, extra):
        messages.append((mtype, params))
        event.set()

    for mtype in ("coord.pointAt.sky", "table.load.votable"):
        client.bind_receive_notification(mtype, receive)
    yield messages, event
    client.disconnect()
    hub.stop()
    dialog.ended.set()
    answers.join()


def test_the_buttons_send_the_position_and_the_table_to_other_programs(program, tmp_path):
    messages, event = program
    found = pd.DataFrame({"status": ["ok"], "inputs": "phot", "missing": "", "out_of_domain": False, "z_phot": 1.5})
    found = found.assign(ra=160.25, dec=-1.5)
    html = tmp_path / f"{NAME}.html"
    write_page_of(finished(pa.table({"name": [NAME]}), {}, found, {}), {}, html, f"{NAME}.vot")
    with browser(tmp_path / "profile") as tab:
        tab.open(html, 1280)
        tab.run("document.querySelector('#body tr.row').click()")
        for button in (
            "[...document.querySelectorAll('#card button')].find((one) => /TOPCAT/.test(one.textContent))",
            "document.querySelector('#send')",
        ):
            tab.run(f"window.pressed = {button}, pressed.click()")
            sent = "new Promise((done) => { const look = () => /Sent|answers/.test(pressed.textContent) ? done(pressed.textContent) : requestAnimationFrame(look); look(); })"
            assert tab.run(sent) == "Sent"
            assert event.wait(60)
            event.clear()
        assert tab.errors == []
    (first, place), (second, table) = messages
    assert (first, second) == ("coord.pointAt.sky", "table.load.votable")
    assert (float(place["ra"]), float(place["dec"])) == (160.25, -1.5)
    assert table == {"url": (tmp_path / f"{NAME}.vot").as_uri(), "name": NAME, "table-id": NAME}
