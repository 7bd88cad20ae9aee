"""Makes the pictures of the Prefect UI in docs/ again: `python scripts/pictures.py` while `scripts/serve` runs.

Drives a headless Chromium over the DevTools protocol as a person would: it runs discover-provider from its form, waits
for the end, asks the model, and takes pictures on the way. Exits with 1 where a page does not say what it should.
"""

import argparse
import base64
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from websockets.sync.client import connect
from websockets.sync.connection import Connection

DOCS = Path(__file__).resolve().parents[1] / "docs"
SECONDS = 60.0


class Page:
    """One tab."""

    def __init__(self, socket: Connection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)

    def call(self, method: str, **parameters: Any) -> Any:
        """Ask the browser; what it answers."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv(SECONDS))).get("id") != number:
            continue
        return answer["result"]

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def open(self, url: str, says: str, height: int = 1100) -> None:
        """Go there, and wait until the page says so."""
        self.call("Emulation.setDeviceMetricsOverride", width=1400, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=url)
        self.until(f"document.body && document.body.innerText.includes({json.dumps(says)})", f"{url} says {says!r}")

    def until(self, script: str, what: str) -> None:
        """Wait until the expression is true in the page."""
        deadline = time.monotonic() + SECONDS
        while not self.run(script):
            if time.monotonic() > deadline:
                raise SystemExit(f"It never came that {what}; the page says: {self.run('document.body.innerText')}")
            time.sleep(0.2)

    def type(self, selector: str, text: str) -> None:
        """Type into a field, whose framework hears of it as of a person's typing."""
        field = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{field}.value = {json.dumps(text)}; {field}.dispatchEvent(new Event('input', {{bubbles: true}}))")

    def picture(self, name: str) -> None:
        """Take one, once what moves has come to rest."""
        time.sleep(2)
        (DOCS / name).write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
        sys.stdout.write(f"docs/{name}\n")


@contextmanager
def browser(program: str) -> Iterator[Page]:
    """A Chromium of its own, without anything of the user's."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        options = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
        ]
        process = subprocess.Popen([program, *options, "about:blank"], stderr=subprocess.DEVNULL)
        try:
            told = Path(folder, "DevToolsActivePort")
            while not (told.exists() and told.read_text().count("\n")):
                time.sleep(0.1)
            port = told.read_text().split()[0]
            tabs = httpx2.get(f"http://127.0.0.1:{port}/json").json()
            address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            with connect(address, max_size=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()
            process.wait(20)


def discovered(page: Page, ui: str, identifier: str) -> str:
    """Run discover-provider from its form; the id of its run, once that has ended well."""
    found = httpx2.get(f"{ui}/api/deployments/name/discover-provider/discover-provider").json()
    page.open(f"{ui}/deployments/deployment/{found['id']}/run", "identifier")
    page.until("document.querySelector('textarea') !== null", "the form is there")
    while page.run("document.querySelector('textarea').value") != identifier:
        page.type("textarea", identifier)
        time.sleep(3)  # It may be drawn anew meanwhile, which forgets what was typed.
    page.picture("prefect-form.png")
    page.run("[...document.querySelectorAll('button')].findLast(one => one.innerText.trim() == 'Submit').click()")
    page.until("!location.pathname.endsWith('/run')", "the form is sent")
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        runs = httpx2.post(f"{ui}/api/flow_runs/filter", json={"sort": "START_TIME_DESC", "limit": 1}).json()
        if runs and runs[0]["state_type"] == "COMPLETED" and runs[0]["parameters"].get("identifier") == identifier:
            return str(runs[0]["id"])
        time.sleep(0.5)
    raise SystemExit(
        f"The discovery of {identifier} did not end well; the page says: {page.run('document.body.innerText')}"
    )


def main() -> None:
    """Take all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ui", default="http://127.0.0.1:4200")
    parser.add_argument("--router", default="http://127.0.0.1:8080")
    parser.add_argument("--chromium", default="chromium")
    asked = parser.parse_args()
    with browser(asked.chromium) as page:
        page.open(f"{asked.ui}/deployments", "discover-provider", 700)
        page.picture("prefect-deployments.png")
        run = discovered(page, asked.ui, "demo/echo")
        page.open(f"{asked.ui}/runs/flow-run/{run}", "Finished in state Completed")
        page.picture("prefect-run.png")
        wanted = {"artifacts": {"flow_run_id": {"any_": [run]}}}
        (artifact, *_) = httpx2.post(f"{asked.ui}/api/artifacts/filter", json=wanted).json()
        page.open(f"{asked.ui}/artifacts/artifact/{artifact['id']}", "What is known", 1500)
        page.picture("prefect-dossier.png")
    chat = {"model": "demo/echo", "messages": [{"role": "user", "content": "hi"}]}
    answer = httpx2.post(f"{asked.router}/v1/chat/completions", json=chat).json()
    sys.stdout.write(f"demo/echo answers: {answer['choices'][0]['message']['content']}\n")


if __name__ == "__main__":
    main()
