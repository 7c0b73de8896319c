"""Headless Chromium of Debian, driven by its chromedriver over WebDriver (W3C), with the standard library alone."""
import base64
import json
import pathlib
import urllib.error
import urllib.request

from harness import Program, free_port, http_request, wait_until

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Element:
    def __init__(self, browser, identity):
        self.browser, self.path = browser, f"/element/{identity}"

    @property
    def text(self):
        return self.browser.call("GET", self.path + "/text")

    def attribute(self, name):
        return self.browser.call("GET", f"{self.path}/attribute/{name}")

    def click(self):
        self.browser.call("POST", self.path + "/click", {})

    def type(self, text):
        self.browser.call("POST", self.path + "/value", {"text": text})


class Browser:
    """One window. Everything that the page logs as an error is kept by the page itself in `problems`."""

    def __init__(self, test, width=1280, height=900, dark=False):
        port = free_port()
        self.driver = Program("chromedriver", ["chromedriver", f"--port={port}", "--silent"], test.directory)
        test.programs.append(self.driver)
        self.base = f"http://127.0.0.1:{port}"
        wait_until(lambda: http_request("GET", self.base + "/status")[0] == 200, "chromedriver is up")
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--disable-background-networking", "--disable-component-update", "--force-prefers-reduced-motion",
                     f"--user-data-dir={test.directory}/chromium-{port}", f"--window-size={width},{height}"]
        if dark:
            arguments.append("--force-dark-mode")
        self.session = ""
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.session = f"/session/{session['sessionId']}"
        if width < 600:  # a window cannot be that narrow, a screen can
            self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=True)
        if dark:
            self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.base + self.session + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {json.load(error)['value']['message']}") from None

    def devtools(self, command, **parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script):
        """A script that calls done(value)."""
        return self.call("POST", "/execute/async", {"script": "const done = arguments[0]; " + script, "args": []})

    def find(self, selector):
        return [Element(self, each[ELEMENT]) for each in
                self.call("POST", "/elements", {"using": "css selector", "value": selector})]

    def wait(self, selector, condition=lambda element: True, timeout=20):
        """The first element of that selector that the condition holds for."""
        def look():
            try:
                return next((one for one in self.find(selector) if condition(one)), None)
            except AssertionError:  # it was drawn anew meanwhile
                return None
        return wait_until(look, f"{selector} is there", timeout)

    def click(self, selector):
        """Also when what is clicked is drawn anew at that moment."""
        def done():
            try:
                self.wait(selector).click()
                return True
            except AssertionError as problem:
                if "stale" not in str(problem):
                    raise
                return False
        wait_until(done, f"{selector} is clicked")

    def press(self, key):
        """A key of the keyboard, wherever the focus is: DevTools' names."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowUp": 38, "ArrowDown": 40, "PageDown": 34}
        text = {"Enter": "\r"}.get(key)
        event = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key], **({"text": text} if text else {})}
        self.devtools("Input.dispatchKeyEvent", type="keyDown", **event)
        self.devtools("Input.dispatchKeyEvent", type="keyUp", **event)

    def screenshot(self, path, whole=False):
        if whole:
            image = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        else:
            image = self.call("GET", "/screenshot")
        pathlib.Path(path).write_bytes(base64.b64decode(image))

    def log(self, kind):
        return self.call("POST", "/se/log", {"type": kind})

    def problems(self):
        """What the console complains of."""
        return [entry["message"] for entry in self.log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self):
        """All addresses that were asked for so far."""
        found = []
        for entry in self.log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return found

    def close(self):
        try:
            self.call("DELETE", "")
        finally:
            self.driver.kill()
