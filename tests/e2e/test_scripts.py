#!/usr/bin/env python3
"""What the README shows: the demo in one command, and the first steps with a key of one's own."""
import os
import re
import subprocess
import time

from harness import KEYHERD, ROOT, EndToEnd, main


class Scripts(EndToEnd):
    def demo(self, seconds):
        start = time.monotonic()
        # The build that the tests are running on serves the demo too.
        preset = KEYHERD.resolve().parents[2].name
        done = subprocess.run([str(ROOT / "scripts/run"), "--for", f"{seconds}s"], capture_output=True, text=True,
                              timeout=600, check=False, env={**os.environ, "KEYHERD_PRESET": preset})
        return done, time.monotonic() - start

    def test_the_demo_ends_by_itself_with_the_status_table(self):
        done, _ = self.demo(24)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("http://127.0.0.1:9925", done.stdout)
        self.assertRegex(done.stdout, r"alpha-1 +alpha +.*dead")
        self.assertRegex(done.stdout, r"chat +alpha-[2-5] ")
        self.assertRegex(done.stdout, r"beta-1 +beta +.*healthy")
        log = (ROOT / "build/demo/usage.jsonl").read_text()
        self.assertIn('"status":401', log.replace(" ", ""))
        # The second start installs and builds nothing, and is up in under three seconds.
        again, took = self.demo(0)
        self.assertEqual(again.returncode, 0, again.stdout + again.stderr)
        self.assertNotIn("building", again.stderr)
        self.assertLess(took, 3.0)

    def test_wrong_arguments_get_one_line(self):
        done = subprocess.run([str(ROOT / "scripts/run"), "--for", "soon"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1)

    def test_every_command_in_the_readme_exists(self):
        text = (ROOT / "README.md").read_text()
        helps = subprocess.run([str(KEYHERD), "--help"], capture_output=True, text=True, check=True).stdout
        for command in set(re.findall(r"^\s*keyherd ([a-z]+)", text, re.M)):
            self.assertRegex(helps, rf"(?m)^  {command} ", f"README shows keyherd {command}")
        for path in set(re.findall(r"\]\(((?:docs|examples|rules|dashboards|deploy|scripts)[^)#]*)\)", text)):
            self.assertTrue((ROOT / path).exists(), f"README links {path}")


if __name__ == "__main__":
    main()
