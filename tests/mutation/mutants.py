#!/usr/bin/env python3
"""Switches off one safety after another in a copy of the sources and demands that the test that watches it notices.
The copy and what is compiled of it stay in build/mutants: a mutant compiles the folder's few units that it is in.

    mutants.py SOURCE_DIRECTORY [name ...]
    mutants.py --check SOURCE_DIRECTORY      only that each can still be made of the sources"""
import filecmp
import html
import pathlib
import re
import shutil
import subprocess
import sys
import time

# A test that hangs has noticed as well; none of those below takes ten seconds.
PATIENCE = 120
NOT_COPIED = {"build", ".git", "node_modules", "__pycache__"}

# name, file, what stands there, what is put in its place, test program, the tests of it that watch
MUTANTS = [
    ("publish before the journal has the row", "agent/engine/pools.cpp",
     "  parts_.pipeline.then([this, pool = record.pool.id, transition = std::move(transition)](\n"
     "                           Instant then) { after_commit(pool, transition, then); });",
     "  if (transition.next)\n    run_step(*std::exchange(transition.next, std::nullopt), now);\n"
     "  parts_.pipeline.then([this, pool = record.pool.id, transition = std::move(transition)](\n"
     "                           Instant then) { after_commit(pool, transition, then); });",
     "engine", "wherever the process dies*"),
    ("no intention on record before a secret is made", "agent/rotation/workflow_mint.cpp",
     "  result.credentials.push_back(intention(context, rotation));\n  result.next = mint_step(context, rotation);\n"
     "  result.rotation = std::move(rotation);\n  return result;\n}\n\nTransition after_mint",
     "  result.next = mint_step(context, rotation);\n"
     "  result.rotation = std::move(rotation);\n  return result;\n}\n\nTransition after_mint",
     "rotation", "the intention is on record*"),
    ("the provider's id of a secret is forgotten", "agent/rotation/workflow_mint.cpp",
     "    credential.remote_id = done.remote_id;\n", "", "rotation", "the intention is on record*"),
    ("a secret is published unproven", "agent/rotation/workflow_mint.cpp",
     "  const int needed = context.previous_works ? kProofs : 1;", "  const int needed = 0;",
     "rotation", "two paid probes prove a new secret*"),
    ("a switch goes to a key that was not probed", "agent/rotation/workflow.cpp",
     "  if (!plan.verify_first) {", "  if (true) {", "rotation", "a switch is probed*"),
    ("a key that fails once it is live is not taken back", "agent/rotation/workflow_adopt.cpp",
     "  if (refused && can_turn_back(context, rotation))", "  if (false && can_turn_back(context, rotation))",
     "rotation", "what worked before and does not once it is live is taken back"),
    ("the last key is ended at once", "agent/rotation/ending.cpp",
     "  if (facts.now < credential.not_before && !facts.refused)", "  if (false)",
     "rotation", "nothing is ended before the overlap is over*"),
    ("a key that is in use is ended", "agent/rotation/ending.cpp",
     "  if (facts.in_use) {", "  if (false) {", "rotation", "a key that is active again is not ended"),
    ("whoever still uses the last key is not waited for", "agent/rotation/ending.cpp",
     "  if (facts.last_used_at && !facts.refused) {", "  if (false) {",
     "rotation", "nothing is ended before the overlap is over*"),
    ("a lost reply is not asked after", "agent/rotation/workflow_mint.cpp",
     "    result.next->after_crash = true;  // it may have been made all the same: the issuer is asked\n", "",
     "rotation", "a mint that failed may have been done*"),
    ("two rotations of a pool at once", "agent/rotation/guards.cpp",
     "  if (auto refusal = conflict(situation, request))", "  if (auto refusal = conflict(situation, request); false)",
     "rotation", "one rotation of a pool at a time"),
    ("an incident of the provider holds nothing back", "agent/rotation/guards.cpp",
     "  if (active == nullptr || !active->frozen ||", "  if (active == nullptr || active->frozen || !active->frozen ||",
     "rotation", "a provider's incident freezes automation*"),
    ("automation moves a pool that is frozen by hand", "agent/rotation/guards.cpp",
     "  if (!freeze || (request.urgent && !freeze->by_hand))", "  if (!freeze || request.urgent)",
     "rotation", "a freeze by hand holds back everything but people"),
    ("a late report of an older step is believed", "agent/rotation/workflow.cpp",
     "      request.generation != rotation.generation || request.credential", "      request.credential",
     "rotation", "a report that does not belong to the present step*"),
    ("the audit log is not chained", "agent/audit/line.cpp",
     "  head.hash = to_hex(sha256(text));", "  head.hash = to_hex(sha256(line.content));",
     "audit", "moved lines are named"),
    ("audit entries are written twice after a crash", "agent/audit/journal.cpp",
     "      if (line.seq > head.seq)\n        text +=", "      if (line.seq > 0)\n        text +=",
     "audit", "what is given again after a crash is not written twice"),
    ("audit entries are not stored with what they tell of", "agent/engine/audit_trail.cpp",
     "  pipeline_.next().audit.push_back({line.seq, line.content});\n", "",
     "engine", "an agent that dies at any effect*"),
    ("a key that was just not proven is tried again at once", "agent/rotation/planner.cpp",
     "  if (found == aside.end() || request.by_person)\n",
     "  if (found == aside.end() || request.by_person || situation.now < found->second)\n",
     "rotation", "a key that was just not proven is set aside*"),
    ("a refused key holds its slot until the overlap is over", "agent/engine/pools.cpp",
     "    if (look_at_.contains(credential.name))\n", "    if (look_at_.contains(credential.name) && false)\n",
     "engine", "a key that was left because it is refused*"),
    ("a secret that is ended stays its key's", "agent/rotation/workflow_back.cpp",
     "  if (rotation.state == RotationState::planned || rotation.state == RotationState::minted)\n    credential.key.clear();",
     "  if (!model::is_final(rotation.state))\n    credential.key.clear();",
     "engine", "a new secret that cannot be published*"),
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


def files_of(root):
    for path in root.iterdir():
        if path.name in NOT_COPIED:
            continue
        if path.is_dir():
            yield from (path.name / inner for inner in files_of(path))
        else:
            yield pathlib.Path(path.name)


def refresh(source, root):
    """Makes the copy what the sources are, whatever an earlier run left; what is the same is not compiled again."""
    root.mkdir(parents=True, exist_ok=True)
    wanted = set(files_of(source))
    for path in wanted:
        if not (root / path).exists() or not filecmp.cmp(source / path, root / path, shallow=False):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / path, root / path)
    for path in set(files_of(root)) - wanted:
        (root / path).unlink()


def build(root, targets, name):
    built = run(["ninja", "-C", root / "build/dev", *targets])
    if built.returncode != 0:
        sys.exit(f"{name}: does not compile\n{built.stdout[-3000:]}")


def first_to_fail(root, program, tests):
    """The name of the first of the tests that fails, crashes or hangs; nothing when all pass."""
    binary = root / f"build/dev/tests/unit/{program}/test_{program}"
    try:
        tested = run([binary, tests, "--abort", "--warn", "NoTests", "--reporter", "xml"], cwd=root, timeout=PATIENCE)
        output, passed = tested.stdout, tested.returncode == 0
    except subprocess.TimeoutExpired as late:
        output, passed = (late.stdout or b"").decode(), False
    if passed:
        return None
    names = re.findall(r'<TestCase name="([^"]*)"', output)
    return html.unescape(names[-1]) if names else f"(no test is called {tests})"


def main():
    if sys.argv[1] == "--check":
        return check(pathlib.Path(sys.argv[2]))
    source = pathlib.Path(sys.argv[1]).resolve()
    names = sys.argv[2:] or [one[0] for one in MUTANTS]
    if unknown := set(names) - {one[0] for one in MUTANTS}:
        sys.exit(f"no mutant is called: {'; '.join(sorted(unknown))}")
    mutants = [one for one in MUTANTS if one[0] in names]
    root = source / "build/mutants"
    refresh(source, root)
    done = run(["cmake", "--preset", "dev"], cwd=root)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    build(root, sorted({f"test_{program}" for *_, program, _ in mutants}), "the sources as they are")
    for *_, program, tests in mutants:
        if failed := first_to_fail(root, program, tests):
            sys.exit(f"the sources as they are: fails without a mutant: {failed}")
    survivors = []
    for name, path, old, new, program, tests in mutants:
        began = time.monotonic()
        (root / path).write_text(mutated(source, path, old, new))
        build(root, [f"test_{program}"], name)
        noticed_by = first_to_fail(root, program, tests)
        (root / path).write_text((source / path).read_text())
        print(f"{'caught' if noticed_by else 'SURVIVED':8}  {time.monotonic() - began:3.0f} s  {name}", flush=True)
        if noticed_by:
            print(f"{'':8}         by: {noticed_by}", flush=True)
        else:
            survivors.append(name)
    if survivors:
        sys.exit(f"no test notices: {'; '.join(survivors)}")
    return None


if __name__ == "__main__":
    main()
