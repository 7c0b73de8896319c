#!/usr/bin/env python3
"""Uses the key that Keyherd published, and follows it: consumer.py /run/keyherd/prod.json"""
import json, sys, time


class PublishedKey:
    def __init__(self, path):
        self.path, self.current = path, {"generation": None}

    def get(self):
        """The key to use for the next request. Call it for every request: it is one small read."""
        try:
            with open(self.path, encoding="utf-8") as file:
                latest = json.load(file)
        except OSError as error:
            print(f"keeping the last key: {error}", file=sys.stderr)
            return self.current
        if latest["generation"] != self.current["generation"]:
            print(f"generation {latest['generation']}: {latest['key']}", flush=True)
        self.current = latest
        return latest


if __name__ == "__main__":
    published = PublishedKey(sys.argv[1])
    while True:
        secret = published.get().get("secret")  # Authorization: Bearer <secret>
        time.sleep(1)
