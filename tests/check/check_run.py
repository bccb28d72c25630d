# SPDX-License-Identifier: BSD-2-Clause
"""tests/run itself: what it counts, that a suite which leaves something behind fails, with its name, and nothing stays."""
from __future__ import annotations

import concurrent.futures
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
import keep  # noqa: E402
import machine  # noqa: E402

# It outlives the check if nobody ends it: time.sleep is its whole work.
DEAF = "setsid python3 -c 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(999)' > /dev/null 2>&1 &"
# What a suite does, what is said of it, and whether that takes root.
LEAVES = (
    ("true", None, False),
    ("sleep 1 & exit 0", None, False),  # it ends soon
    ("echo $$ > /tmp/weir-t; rm /tmp/weir-t; d=$(mktemp -d weir-XXXXXX -p /dev/shm); rmdir $d", None, False),
    ("setsid sleep 998 > /dev/null 2>&1 &", r"process \d+: sleep 998", False),
    ("(setsid sh -c 'sleep 997 & exec sleep 996' &)", r"process \d+: sleep 997", False),
    (DEAF, r"process \d+: python3 -c", False),
    ("touch /tmp/weir-left", "file /tmp/weir-left", True),
    ("mkdir /dev/shm/weir-api.left", "file /dev/shm/weir-api.left", True),
    ("ip netns add w$$-left", r"network namespace w\d+-left", True),
    ("mount -t bpf bpf {folder} && mkdir {folder}/pins", "mount {folder}", True),
)
COUNTS = (
    ("3 passed, 0 failed\n", 0, "3 passed, 0 failed"), ("3 passed, 0 failed\n", 1, "3 passed, 1 failed"), ("", 0, "1 passed, 0 failed"),
    ("", 77, "0 passed, 0 failed, 1 skipped"), ("0 passed, 0 failed\n", 0, "0 passed, 1 failed"),
    ("[  PASSED  ] 2 test(s).\n[  FAILED  ] 1 test(s), listed below:\n", 1, "2 passed, 1 failed"),
    ("[  FAILED  ] GROUP TEARDOWN\n[  PASSED  ] 2 test(s).\n", 0, "2 passed, 1 failed"),
)


def load() -> typing.Any:
    loader = importlib.machinery.SourceFileLoader("weir_run", os.path.join(ROOT, "tests", "run"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def judge(run: typing.Any, n: int, case: tuple[str, str | None, bool]) -> str | None:
    """@return what is wrong with what tests/run says of a suite, or None"""
    script, expected, _ = case
    with tempfile.TemporaryDirectory(prefix="kept-", dir=os.path.join(ROOT, "build")) as folder:
        script, expected = script.replace("{folder}", folder), expected and expected.replace("{folder}", re.escape(folder))
        result = run.Suite("check", f"left {os.getpid()} {n}", ["sh", "-c", script]).run()
        said = re.findall(r"left behind, and taken away: (.*)", result.output)
        if expected is None:
            return None if not said and result.count.failed == 0 else f"{script}: nothing was left, it says {said}"
        if not any(re.match(expected, line) for line in said) or not result.count.failed:
            return f"{script}: it says {said}"
        for pid in re.findall(r"process (\d+)", " ".join(said)):
            if keep.words_of(pid):
                return f"{script}: process {pid} still lives"
        for name in re.findall(r"namespace (\S+)", " ".join(said)):
            if os.path.exists(f"/run/netns/{name}"):
                return f"{script}: {name} is still there"
        return f"{script}: {folder} is still mounted" if os.path.ismount(folder) else None


def judge_timeout(run: typing.Any) -> str | None:
    """A suite that neither ends nor heeds SIGTERM."""
    result = run.Suite("check", "deaf", ["sh", "-c", "trap '' TERM; echo $$; exec sleep 995"], timeout_s=5).run()
    pid, _, rest = result.output.partition("\n")
    if "no end after 5 s" not in rest or not result.count.failed:
        return f"a suite without an end: {result.output[-200:]}"
    return "a suite without an end lives on" if keep.words_of(pid) else None


def judge_cpu(run: typing.Any) -> str | None:
    """A check that computes without an end, and one that takes more of the clock than it has of a processor."""
    endless = run.check_suite("endless", ["sh", "-c", "while :; do :; done"], 2).run()  # on a busy machine a second takes ten
    patient = run.check_suite("patient", ["sleep", "2"], 1).run()
    if not endless.count.failed or "no end after" in endless.output:
        return f"a check that computes without an end: {endless.count} {endless.output[-200:]}"
    return None if patient.count.passed else f"a check that waits: {patient.count} {patient.output[-200:]}"


def judge_others(run: typing.Any) -> str | None:
    """What others mount while a suite runs, where mounts are shared: a lab in a tree of its own, for example."""
    script = "touch {0}/begun; until test -e {0}/go; do sleep 0.05; done"
    with tempfile.TemporaryDirectory(prefix="kept-", dir=os.path.join(ROOT, "build")) as folder:
        other = f"{folder}/other"
        suite = run.Suite("check", "others", ["sh", "-c", script.format(folder)], timeout_s=30)
        sh(f"mount -t tmpfs weir {folder} && mount --make-shared {folder} && mkdir {other}")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            result = pool.submit(suite.run)
            sh(f"until test -e {folder}/begun; do sleep 0.05; done; mount -t tmpfs weir {other} && touch {folder}/go")
            output, is_there = result.result().output, os.path.ismount(other)
        sh(f"umount -l {other} {folder}")
    return None if is_there and "left behind" not in output else f"another's mount: still there: {is_there}, it says {output}"


def judge_once(run: typing.Any) -> str | None:
    """What fails has failed: no second run takes its place. The report says how busy the machine was, and its end what does not hold."""
    runner, told = run.Runner(), io.StringIO()
    with tempfile.TemporaryDirectory(prefix="kept-", dir=os.path.join(ROOT, "build")) as folder, contextlib.redirect_stdout(told):
        suite = run.Suite("lab", f"once {os.getpid()}", ["sh", "-c", f"echo '  FAIL  it is so'; mkdir {folder}/first && exit 1; echo 3 passed, 0 failed"])
        runner.run([suite])
        runner.tell()
    seen = (str(runner.total), str(runner.of_kind["lab"]), runner.failures == [(suite, ["  FAIL  it is so"])])
    said = re.search(r"^      meanwhile: a load of \d+", told.getvalue(), re.M)
    is_told = said and told.getvalue().endswith("\n  FAIL  it is so\n")
    return None if is_told and seen == ("0 passed, 1 failed", "0 passed, 1 failed", True) else f"what fails once: {seen}, {told.getvalue()}"


def judge_schedule(run: typing.Any) -> str | None:
    """What follows what: a build has the machine to itself; who bears few others begins when those that do have ended, tests of the
    build among them, and does not wait for who sleeps or computes; who bears none is the last."""
    with tempfile.TemporaryDirectory(prefix="kept-", dir=os.path.join(ROOT, "build")) as folder, contextlib.redirect_stdout(io.StringIO()):
        def suite(name: str, waits_for: str = "", **more: typing.Any) -> typing.Any:
            script = f"touch {folder}/{name}; until [ -e {folder}/{waits_for or name} ]; do sleep 0.02; done; ls {folder}; rm {folder}/{name}; touch {folder}/{name}-done"
            return run.Suite("lab", f"{name} {os.getpid()}", ["sh", "-c", script], 30, **more)
        runner = run.Runner()
        pair, sleeps, alone = suite("pair", alone=True, tags=("pair",)), suite("sleeps", "pair-done", tags=("sleeps",)), suite("alone", alone=True)
        work, test, later, together = suite("work"), suite("test"), suite("later", "pair-done"), suite("together")
        runner.run([alone, pair, sleeps, together], {work: lambda: [test]}, [later])
        said = {}
        for s in (work, together, pair, alone, later, test):
            with open(s.log(), encoding="utf-8") as f:
                said[s.name.split()[0]] = set(f.read().split())
    wrong = [name for name, there, not_there in (
        ("work", {"work"}, {"together", "together-done", "sleeps", "later"}), ("together", {"work-done"}, {"pair"}),
        ("pair", {"together-done", "test-done", "work-done"}, {"alone-done", "sleeps-done", "later-done"}), ("later", {"work-done"}, {"alone-done"}),
        ("test", {"work-done"}, {"pair"}), ("alone", {"pair-done", "sleeps-done", "later-done"}, {"pair", "sleeps", "later"}))
        if not there <= said[name] or not_there & said[name]]
    return None if not wrong and str(runner.total) == "7 passed, 0 failed" else f"the schedule: {wrong} in {said}, {runner.total}"


def judge_excuses(run: typing.Any) -> str | None:
    """What a lab excused is told at the end, though it passed."""
    runner, told = run.Runner(), io.StringIO()
    suite = run.Suite("lab", "excuses", ["true"])
    with contextlib.redirect_stdout(told):
        runner.report(suite, run.Result(run.Count(1), 0, 0, "14:00:00  not counted: 3 lost SYNs\n1 passed, 0 failed\n"))
        runner.tell()
    return None if "not counted: lab excuses: 3 lost SYNs\n" in told.getvalue() else f"excuses: {told.getvalue()}"


def judge_excerpt(run: typing.Any) -> str | None:
    """A claim that does not hold is shown, however much a suite says after it."""
    after = [f"line {n}" for n in range(100)]
    for claim in ("  FAIL  a drained site gets nothing  [7]", "[  FAILED  ] test_drain", "[  ERROR   ] --- 7 != 0"):
        seen = run.excerpt("\n".join(["a line before", claim, *after]))
        if seen != [claim, *after[-run.END_LINES:]]:
            return f"a claim far from the end: {seen}"
    return None


def judge_watch() -> str | None:
    """A time in which nothing ran, and lost packets, are said; quiet times are not."""
    watch, begin = machine.Watch(), machine.look()
    if "no thread ran" in watch.since(begin._replace(at=begin.at + 60)):
        return f"a quiet machine: {watch.since(begin)}"
    watch.stops.append((begin.at + 1, 2.5))
    seen = watch.since(begin._replace(lost=begin.lost - 7, stolen=begin.stolen - 10**9))
    watch.close()
    return None if re.match(r"a load of \d+; no thread ran for 2\.5 s \(\d+ stops in all\); the host had \d+ % of the processors; "
                            r"\d+ packets found a processor's queue full$", seen) else f"a stop of the machine: {seen}"


STOPPED = """
import importlib.machinery, importlib.util, signal
loader = importlib.machinery.SourceFileLoader("weir_run", {run!r})
run = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
loader.exec_module(run)
run.LOGS = {folder!r}
signal.signal(signal.SIGTERM, run.stop_all)
script = "touch {folder}/began.$$; sleep 60"
run.Runner().run([run.Suite("lab", f"stopped {{n}}", ["sh", "-c", script]) for n in range(40)])
"""


def judge_stop() -> str | None:
    """A run that is told to end begins no further suite, and leaves none behind."""
    with tempfile.TemporaryDirectory(prefix="kept-", dir=os.path.join(ROOT, "build")) as folder:
        def begun() -> int:
            return len([name for name in os.listdir(folder) if name.startswith("began.")])
        script = STOPPED.format(run=os.path.join(ROOT, "tests", "run"), folder=folder)
        with subprocess.Popen([sys.executable, "-c", script], env=dict(os.environ, PYTHONPATH=f"{ROOT}/tests"), stdout=subprocess.DEVNULL) as process:
            wait_for(lambda: begun() >= 2)
            process.terminate()
            process.wait(60)
        before = begun()
        left = subprocess.run(["pgrep", "-f", f"{folder}/began"], capture_output=True, text=True, check=False).stdout.split()
    return None if 2 <= before <= 4 and not left else f"a run that was told to end: {before} suites began, left behind: {left}"


def judge_gate() -> str | None:
    """Two suites begin on a slow machine, too; the third once it is faster, by the mean of some looks, or one has ended."""
    slow, look_s = [machine.SLOW + 1], machine.LOOK_S
    machine.LOOK_S = 0.01
    gate = machine.Gate(lambda: slow[0])
    began: list[int] = []
    ends = [threading.Event() for _ in range(4)]

    def run_one(n: int) -> None:
        with gate.passed(False):
            began.append(n)
            ends[n].wait(60)
    threads = [threading.Thread(target=run_one, args=(n,)) for n in range(4)]
    wait_for(lambda: len(gate.seen) == machine.LOOKS)
    seen = []
    for n, thread in enumerate(threads):
        thread.start()
        if n == 2:
            slow[0] = machine.SLOW - 1
        least = min(n, 2)
        wait_for(lambda: len(began) > least)
        if n == 2:
            slow[0] = 9 * machine.SLOW
            wait_for(lambda: not gate.is_fast(machine.SLOW))
        seen.append(len(began))
    for n in (0, 1):
        ends[n].set()
        threads[n].join(60)
    wait_for(lambda: len(began) > 3)
    for n in (2, 3):
        ends[n].set()
        threads[n].join(60)
    gate.close()
    machine.LOOK_S = look_s
    return None if (seen, sorted(began)) == ([1, 2, 3, 3], [0, 1, 2, 3]) else f"begun one after the other: {seen}, in the end {began}"


def wait_for(is_so: typing.Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_so() and time.monotonic() < until:
        time.sleep(0.01)  # between two looks at the condition


def judge_room() -> str | None:
    """Processors' queues are long until the last that asked for it has closed, whichever asked first; also where one of them was
    killed, or ended without a word. The machine's own queues are left alone."""
    with tempfile.TemporaryDirectory(prefix="room-", dir=os.path.join(ROOT, "build")) as folder:
        machine.QUEUE, machine.ROOMS = f"{folder}/queue", f"{folder}/rooms"
        machine.set_queue(1000)
        first, second, third = machine.Room(), machine.Room(), machine.Room()
        first.open()
        second.open()
        seen = [machine.queue()]
        first.close()
        seen.append(machine.queue())
        second.close()
        seen.append(machine.queue())
        for end in ("os.kill(os.getpid(), signal.SIGKILL)", "raise SystemExit"):
            script = f"import os, signal, machine; machine.QUEUE, machine.ROOMS = {machine.QUEUE!r}, {machine.ROOMS!r}; machine.Room().open(); {end}"
            subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": f"{ROOT}/tests"}, check=False, timeout=60)
            seen.append(machine.queue())
            third.open()
            third.close()
            seen.append(machine.queue())
    expected = [machine.ROOM, machine.ROOM, 1000, machine.ROOM, 1000, 1000, 1000]
    return None if seen == expected else f"queues: {seen}"


def judge_policy() -> str | None:
    """./run keeps servers of packages from starting, by a file that it removes again; the machine's own file stays."""
    with open(os.path.join(ROOT, "run"), encoding="utf-8") as f, tempfile.TemporaryDirectory(prefix="policy-", dir=os.path.join(ROOT, "build")) as folder:
        path, seen = f"{folder}/policy-rc.d", []
        function = re.findall(r"^install_missing\(\) \{\n.*?^\}\n", f.read(), re.DOTALL | re.MULTILINE)[0].replace("/usr/sbin/policy-rc.d", path)
        stubs = f"packages=(nothing) LOCK_S=1; fail() {{ exit 3; }}; update_lists() {{ :; }}; id() {{ echo 0; }}; apt-get() {{ cat {path}; }}\n"
        for before in (None, "#!/bin/sh\n# of this image\nexit 101\n", "#!/bin/sh\nexit 101\n"):
            if before:
                with open(path, "w", encoding="ascii") as out:
                    out.write(before)
            subprocess.run(["bash", "-euo", "pipefail", "-c", f"{stubs}{function}install_missing"], cwd=folder, check=False, timeout=60,
                           stdout=subprocess.DEVNULL)
            seen.append(os.path.exists(path))
    return None if seen == [False, True, False] else f"policy-rc.d is there afterwards: {seen}"


def sh(script: str) -> None:
    subprocess.run(["sh", "-c", script], check=False, timeout=60)


def main() -> int:
    run = load()
    run.STOP_S = 1
    cases = [c for c in LEAVES if not c[2] or os.geteuid() == 0]
    wrong = [f"{output!r}, {status}: {run.count(output, status)}" for output, status, said in COUNTS if str(run.count(output, status)) != said]
    with tempfile.TemporaryDirectory(prefix="kept-", dir=os.path.join(ROOT, "build")) as run.LOGS, \
            concurrent.futures.ThreadPoolExecutor(6) as pool:
        late = [pool.submit(judge_timeout, run), pool.submit(judge_cpu, run)] + [pool.submit(judge_others, run)] * (os.geteuid() == 0)
        wrong += filter(None, pool.map(lambda n: judge(run, n, cases[n]), range(len(cases))))
        wrong += filter(None, [job.result() for job in late])
        wrong += filter(None, [judge_once(run), judge_schedule(run), judge_excuses(run), judge_excerpt(run), judge_watch(), judge_gate(), judge_stop(), judge_room(), judge_policy()])
    for line in wrong:
        print(f"tests/run: {line}")
    n = len(COUNTS) + len(cases) + len(late) + 9
    print(f"{n - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
