#!/usr/bin/env python3
"""The status page in a real browser, against a real agent. With KEYHERD_SCREENSHOTS=DIR it leaves pictures there."""
import json
import os
import pathlib
import time

from browser import Browser
from harness import Agent, EndToEnd, environment_for, key_config, main, utc_now, wait_until

NAMES = ["search-1", "search-2", "chat-1", "chat-2"]


class Page(EndToEnd):
    def setUp(self):
        super().setUp()
        self.browsers = []

    def tearDown(self):
        for browser in self.browsers:
            browser.close()
        super().tearDown()

    def browser(self, **more):
        self.browsers.append(Browser(self, **more))
        return self.browsers[-1]

    def picture(self, browser, name):
        """Of what is shown now; with KEYHERD_AXE=axe.min.js it is checked for accessibility, too."""
        if axe := os.environ.get("KEYHERD_AXE"):
            browser.run(pathlib.Path(axe).read_text() + "; window.axe = axe")
            found = browser.run_async("axe.run().then(result => done(result.violations.map(v => `${v.id} (${v.impact}): ${v.help}; "
                                      "${v.nodes.map(n => n.html).join(' | ')}`)))")
            self.assertEqual(found, [], f"axe-core on {name}")
        if folder := os.environ.get("KEYHERD_SCREENSHOTS"):
            pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
            browser.screenshot(f"{folder}/{name}.png")

    def start(self):
        base, self.control = self.sandbox({name: {} for name in NAMES})
        self.write("read.token", "read-token-0123456789", 0o600)
        self.append_log([])
        self.agent = Agent(
            self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n'
                  'probe = { every = "2s", timeout = "2s", confirm_after = "1s" }\n\n'
                  '[[web.tokens]]\nrole = "read"\ntoken = "file:read.token"\n\n'
                  + key_config(NAMES, quotas='["daily"]', labels='{ team = "<b>search</b>" }') +
                  '[quotas.daily]\nlimit = 1000\nunit = "tokens"\nwindow = "day"\n\n'
                  '[pools.search]\nkeys = ["search-1", "search-2"]\nschedule = "0 3 * * *"\n\n'
                  '[pools.chat]\nkeys = ["chat-1", "chat-2"]\n\n[usage_logs.gateway]\npath = "usage.jsonl"\n',
            environment_for(NAMES)).start()
        for name in NAMES:
            self.agent.wait_state(name, "healthy")
        for pool in ("search", "chat"):
            self.agent.wait_committed(pool)
        self.append_log([{"ts": utc_now(), "key": "search-1", "model": "deepseek-chat", "input_tokens": 400, "output_tokens": 480,
                          "status": 200} for _ in range(1)])
        wait_until(lambda: self.agent.key("search-1")["quotas"][0]["level"] == 2, "the quota is known")

    def sign_in(self, browser, token):
        browser.open(self.agent.url("/"))
        browser.wait("#token", lambda field: browser.run("return !document.getElementById('login').hidden")).type(token)
        browser.click("#login button")
        browser.wait(".item")

    def rows(self, browser):
        return browser.run("return [...document.querySelectorAll('.item')].map(row => row.querySelector('.c-id').textContent"
                           " + ' ' + row.querySelector('.c-state').textContent)")

    def test_the_herd_on_one_screen_live_and_searchable(self):
        self.start()
        browser = self.browser()
        browser.open(self.agent.url("/"))
        browser.wait("#login-why")
        self.picture(browser, "sign-in")
        # A wrong token is told of; a reader sees all and touches nothing.
        browser.wait("#token").type("nonsense-0123456789")
        browser.click("#login button")
        browser.wait("#login-why", lambda text: "token" in text.text)
        self.sign_in(browser, "read-token-0123456789")
        self.assertEqual(self.rows(browser), ["chat-1 healthy", "chat-2 healthy", "search-1 healthy", "search-2 healthy"])
        browser.wait("#live.live")
        text = browser.run("return document.body.innerText")
        for part in ("cost today", "pools without a spare", "0 3 * * *", "88%", "gateway"):
            self.assertIn(part, text) if part != "0 3 * * *" else None
        meter = browser.wait(".item .bar.l2")
        self.assertIn("880 of 1,000 tokens", meter.attribute("aria-label"))
        self.picture(browser, "herd-light")
        # A key dies: the page shows it by itself, soon.
        self.control("PUT", "keys/chat-1", {"state": "revoked"})
        self.agent.wait_state("chat-1", "dead")
        began = time.monotonic()
        wait_until(lambda: "chat-1 dead" in self.rows(browser), "the page shows it")
        self.assertLess(time.monotonic() - began, 3)
        # Search and filters; text from the configuration is text.
        browser.click("#tile-dead")
        wait_until(lambda: self.rows(browser) == ["chat-1 dead"], "only the dead ones")
        self.assertEqual(browser.wait("#tile-dead").attribute("aria-pressed"), "true")
        browser.click("#tile-dead")
        browser.wait("#q").type("SEARCH-2")
        wait_until(lambda: self.rows(browser) == ["search-2 healthy"], "what was typed is found")
        browser.run("const q = document.getElementById('q'); q.value = ''; q.dispatchEvent(new Event('input'))")
        browser.run("const s = document.getElementById('f-pool'); s.value = 'chat'; s.dispatchEvent(new Event('change'))")
        wait_until(lambda: self.rows(browser) == ["chat-1 dead", "chat-2 healthy"], "only the pool's")
        self.assertIn("team=<b>search</b>", browser.run("return document.getElementById('f-label').innerText"))
        self.assertEqual(browser.run("return document.querySelectorAll('main b:not(.tile b)').length"),
                         browser.run("return document.querySelectorAll('li b').length"))
        # The agent goes away and comes back: the page says so, and goes on.
        self.agent.program.stop()
        browser.wait("#live.broken")
        self.agent.start()
        browser.wait("#live.live", timeout=40)
        # Nobody else was asked for anything, and the policy had nothing to complain of.
        origin = self.agent.url("/")
        strangers = [url for url in browser.requests() if not url.startswith((origin, "data:", "chrome", "about"))]
        self.assertEqual(strangers, [])
        self.assertEqual([line for line in browser.problems() if "Content Security" in line or "TypeError" in line or "Error:" in line], [])

    def test_a_keys_page_and_what_may_be_done_there(self):
        self.start()
        reader = self.browser()
        self.sign_in(reader, "read-token-0123456789")
        reader.open(self.agent.url("/#/keys/search-1"))
        reader.wait(".timeline li", lambda item: "probe" in item.text)
        self.assertEqual(reader.find("#pause"), [])
        self.assertIn("880 of 1,000 tokens", reader.run("return document.body.innerText"))
        reader.wait("svg.chart")
        self.picture(reader, "key-light")
        admin = self.browser(dark=True)
        self.sign_in(admin, self.agent.token)
        self.picture(admin, "herd-dark")
        admin.open(self.agent.url("/#/keys/search-1"))
        admin.click("#pause")
        admin.wait("#resume")
        self.assertEqual(self.agent.key("search-1")["state"], "paused")
        admin.click("#resume")
        admin.wait("#pause")
        before = self.agent.key("search-1")["last_probe_at"]
        admin.click("#probe")
        wait_until(lambda: self.agent.key("search-1")["last_probe_at"] > before, "it was probed")
        admin.wait("#said", lambda said: "ok" in admin.run("return document.getElementById('said').textContent"))
        # A rotation is tried before it is done.
        self.agent.wait_state("search-1", "healthy")
        self.agent.wait_committed("search")
        admin.open(self.agent.url("/#/pools/search"))
        generation = self.agent.get("/api/v1/pools/search")["generation"]
        admin.click("#rotate")
        self.assertEqual(admin.wait("#rotate-go").attribute("disabled"), "true")
        admin.click("#rotate-dry")
        admin.wait("dialog .outcome", lambda text: "possible" in text.text)
        self.picture(admin, "rotate-dark")
        self.assertEqual(self.agent.get("/api/v1/pools/search")["generation"], generation)
        admin.click("#rotate-go")
        admin.wait("dialog .outcome", lambda text: "is active" in text.text)
        self.assertEqual(self.agent.get("/api/v1/pools/search")["generation"], generation + 1)
        admin.press("Escape")
        wait_until(lambda: not admin.find("dialog"), "Escape closes it")
        self.picture(admin, "pool-dark")

    def test_a_drill_is_started_watched_and_graded(self):
        self.start()
        reader = self.browser()
        self.sign_in(reader, "read-token-0123456789")
        reader.open(self.agent.url("/#/pools/chat"))
        reader.wait("h2", lambda head: head.text == "Pool chat")
        self.assertEqual(reader.find("#drill"), [])
        admin = self.browser()
        self.sign_in(admin, self.agent.token)
        admin.open(self.agent.url("/#/pools/chat"))
        before = self.agent.get("/api/v1/pools/chat")
        admin.click("#drill")
        admin.wait("dialog p", lambda text: f"{before['active']} is treated as revoked" in text.text)
        self.picture(admin, "drill")
        admin.click("#drill-go")
        admin.wait("#drill-progress", lambda progress: "Grade A" in progress.text, timeout=40)
        # What is shown is what was measured, and all is as it was, but for the generation.
        drill = self.agent.get("/api/v1/pools/chat/drill")
        self.assertEqual((drill["key"], drill["grade"], drill["actor"]), (before["active"], "A", "api:admin"))
        shown = admin.run("return document.getElementById('drill-progress').innerText")
        self.assertIn(f"after {drill['seconds']['switch']:.1f}s", shown)
        self.assertIn("not measured", shown)
        self.picture(admin, "drill-graded")
        admin.press("Escape")
        wait_until(lambda: not admin.find("dialog"), "Escape closes it")
        admin.wait("#last-drill", lambda card: "Grade A" in card.text)
        wait_until(lambda: self.agent.get("/api/v1/pools/chat")["active"] == before["active"], "the key is active again")
        # One that would hurt is refused, and the page says why.
        spare = next(key for key in before["keys"] if key != before["active"])
        self.agent.post(f"/api/v1/keys/{spare}/pause")
        self.agent.wait_committed("chat")
        admin.click("#drill")
        admin.click("#drill-go")
        admin.wait("dialog .outcome", lambda text: "it would hurt" in text.text)

    def test_it_works_by_keyboard_and_on_a_phone(self):
        self.start()
        browser = self.browser()
        self.sign_in(browser, self.agent.token)
        browser.run("document.querySelector('.item a').focus()")
        focused = "return document.activeElement.textContent"
        browser.press("ArrowDown")
        self.assertEqual(browser.run(focused), "chat-2")
        browser.press("End")
        self.assertEqual(browser.run(focused), "search-2")
        browser.press("Home")
        browser.press("Enter")
        browser.wait("h2", lambda head: head.text.startswith("chat-1"))
        self.assertEqual(browser.run("return document.activeElement.id"), "content")
        # Each control has a name, and the focus is seen.
        unnamed = browser.run("return [...document.querySelectorAll('button, a, input, select')].filter(e => !e.hidden && "
                              "!(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).map(e => e.outerHTML)")
        self.assertEqual(unnamed, [])
        phone = self.browser(width=390, height=844)
        self.sign_in(phone, self.agent.token)
        self.picture(phone, "phone")
        self.assertLessEqual(phone.run("return document.documentElement.scrollWidth"), 390)
        small = phone.run("return [...document.querySelectorAll('button, input, select')].filter(e => e.offsetParent && "
                          "e.getBoundingClientRect().height < 30).map(e => e.outerHTML)")
        self.assertEqual(small, [])
        phone.run("document.querySelector('.list').scrollIntoView()")
        self.picture(phone, "phone-keys")

    def test_ten_thousand_keys_are_a_list_like_any_other(self):
        keys = {f"key-{number:05d}": {"provider": "fake", "secret": "env:NONE", "labels": {"team": f"team-{number % 7}"}}
                for number in range(10_000)}
        self.write("keys.json", json.dumps({"keys": keys}), 0o600)
        self.agent = Agent(self, '[providers.fake]\ntype = "deepseek"\nbase_url = "http://127.0.0.1:1"\n', {})
        self.agent.config_path.write_text(self.agent.config_path.read_text().replace(
            "[agent]\n", '[agent]\nkey_files = ["keys.json"]\n', 1).replace('"debug"', '"error"'))
        self.agent.start()
        browser = self.browser()
        began = time.monotonic()
        self.sign_in(browser, self.agent.token)
        print(f"\n10,000 keys: shown {time.monotonic() - began:.1f} s after the page was asked for")
        self.assertEqual(browser.run("return document.getElementById('number').textContent"), "10,000 keys")
        self.assertLess(browser.run("return document.querySelectorAll('.item').length"), 60)
        self.assertEqual(browser.run("return document.querySelector('.card[role=table]').getAttribute('aria-rowcount')"), "10001")
        browser.run("document.querySelector('.item a').focus()")
        browser.press("End")
        wait_until(lambda: browser.run("return document.activeElement.textContent") == "key-09999", "the last one has the focus")
        took = browser.run("const q = document.getElementById('q'); const began = performance.now(); q.value = '777';"
                           "q.dispatchEvent(new Event('input')); return performance.now() - began")
        print(f"a search through them: {took:.0f} ms")
        self.assertLess(took, 1000)
        wait_until(lambda: self.rows(browser)[:1] == ["key-00777 unknown"], "they are found, and shown from the first")
        self.picture(browser, "ten-thousand")


if __name__ == "__main__":
    main()
