#!/usr/bin/env python3
"""Switches off one safety after another in a copy of the sources and demands that a test notices: a suite that
stays green without a safety does not watch it. Builds in a directory of its own; takes minutes.

    mutants.py SOURCE_DIRECTORY [name ...]
    mutants.py --check SOURCE_DIRECTORY      only that each can still be made of the sources"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# name, file, what stands there, what is put in its place, test program, its filter
MUTANTS = [
    ("publish before the journal has the row", "agent/engine/pools.cpp",
     "  parts_.pipeline.then([this, pool = record.pool.id, transition = std::move(transition)](\n"
     "                           Instant then) { after_commit(pool, transition, then); });",
     "  if (transition.next)\n    run_step(*std::exchange(transition.next, std::nullopt), now);\n"
     "  parts_.pipeline.then([this, pool = record.pool.id, transition = std::move(transition)](\n"
     "                           Instant then) { after_commit(pool, transition, then); });",
     "engine", ""),
    ("no intention on record before a secret is made", "agent/rotation/workflow_mint.cpp",
     "  result.credentials.push_back(intention(context, rotation));\n  result.next = mint_step(context, rotation);\n"
     "  result.rotation = std::move(rotation);\n  return result;\n}\n\nTransition after_mint",
     "  result.next = mint_step(context, rotation);\n"
     "  result.rotation = std::move(rotation);\n  return result;\n}\n\nTransition after_mint",
     "rotation", ""),
    ("the provider's id of a secret is forgotten", "agent/rotation/workflow_mint.cpp",
     "    credential.remote_id = done.remote_id;\n", "", "rotation", ""),
    ("a secret is published unproven", "agent/rotation/workflow_mint.cpp",
     "  const int needed = context.previous_works ? kProofs : 1;", "  const int needed = 0;", "rotation", ""),
    ("a key that fails once it is live is not taken back", "agent/rotation/workflow_adopt.cpp",
     "  if (refused && can_turn_back(context, rotation))", "  if (false && can_turn_back(context, rotation))",
     "rotation", ""),
    ("the last key is ended at once", "agent/rotation/ending.cpp",
     "  if (facts.now < credential.not_before && !facts.refused)", "  if (false)", "rotation", ""),
    ("a key that is in use is ended", "agent/rotation/ending.cpp",
     "  if (facts.in_use) {", "  if (false) {", "rotation", ""),
    ("whoever still uses the last key is not waited for", "agent/rotation/ending.cpp",
     "  if (facts.last_used_at && !facts.refused) {", "  if (false) {", "rotation", ""),
    ("a lost reply is not asked after", "agent/rotation/workflow_mint.cpp",
     "    result.next->after_crash = true;  // it may have been made all the same: the issuer is asked\n", "",
     "rotation", ""),
    ("two rotations of a pool at once", "agent/rotation/guards.cpp",
     "  if (auto refusal = conflict(situation, request))", "  if (auto refusal = std::optional<Refusal>())",
     "rotation", ""),
    ("an incident of the provider holds nothing back", "agent/rotation/guards.cpp",
     "  if (active == nullptr || !active->frozen ||", "  if (active == nullptr || active->frozen || !active->frozen ||",
     "rotation", ""),
    ("automation moves a pool that is frozen by hand", "agent/rotation/guards.cpp",
     "  if (!freeze || (request.urgent && !freeze->by_hand))", "  if (!freeze || request.urgent)", "rotation", ""),
    ("a late report of an older step is believed", "agent/rotation/workflow.cpp",
     "      request.generation != rotation.generation || request.credential", "      request.credential",
     "rotation", ""),
    ("the audit log is not chained", "agent/audit/line.cpp",
     "  head.hash = to_hex(sha256(text));", "  head.hash = to_hex(sha256(line.content));", "audit", ""),
    ("audit entries are written twice after a crash", "agent/audit/journal.cpp",
     "      if (line.seq > head.seq)\n        text +=", "      if (line.seq > 0)\n        text +=", "audit", ""),
    ("audit entries are not stored with what they tell of", "agent/engine/audit_trail.cpp",
     "  pipeline_.next().audit.push_back({line.seq, line.content});\n", "", "engine", "*audit*,*agent that dies*"),
]


def run(argv, **more):
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, **more)


def mutated(root, path, old, new):
    text = (root / path).read_text()
    if text.count(old) != 1:
        sys.exit(f"{path}: the text of the mutant stands there {text.count(old)} times, not once:\n{old}")
    return text.replace(old, new)


def check(source):
    for _, path, old, new, _, _ in MUTANTS:
        mutated(source, path, old, new)
    print(f"{len(MUTANTS)} mutants can be made")


def main():
    if sys.argv[1] == "--check":
        return check(pathlib.Path(sys.argv[2]))
    source = pathlib.Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:]
    survivors = []
    with tempfile.TemporaryDirectory(prefix="keyherd-mutants-") as directory:
        root = pathlib.Path(directory) / "source"
        shutil.copytree(source, root, ignore=shutil.ignore_patterns("build", ".git", "node_modules"))
        environment = {**os.environ, "CCACHE_BASEDIR": str(root)}
        done = run(["cmake", "--preset", "dev"], cwd=root, env=environment)
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)
        for name, path, old, new, program, tests in MUTANTS:
            if wanted and name not in wanted:
                continue
            target, binary = f"test_{program}", root / f"build/dev/tests/unit/{program}/test_{program}"
            (root / path).write_text(mutated(root, path, old, new))
            built = run(["ninja", "-C", "build/dev", target], cwd=root, env=environment)
            if built.returncode != 0:
                sys.exit(f"{name}: the mutant does not compile\n{built.stdout[-3000:]}")
            tested = run([binary, tests or "~[simulation]"], cwd=root, timeout=900)
            (root / path).write_text((source / path).read_text())
            verdict = "killed" if tested.returncode != 0 else "SURVIVED"
            print(f"{verdict:8}  {name}", flush=True)
            if tested.returncode == 0:
                survivors.append(name)
    if survivors:
        sys.exit(f"no test notices: {'; '.join(survivors)}")
    return None


if __name__ == "__main__":
    main()
