import os
import subprocess
import sys

from case import TOP, Case, Skipped

LIMIT_S = 1800


class Large(Case):
    """Events around and far above the packet limit, files and transactions beyond 4 GiB.

    The long form runs e2e/test_large97.py and tests/soak/large, with --long from two rounds on; the
    short one is e2e/test_large97.py, which runs by itself.
    """

    long_rounds = 2
    round_limit_s = LIMIT_S

    def short(self):
        raise Skipped("the short form is e2e/test_large97.py")

    def long(self, rounds):
        programs = [["tests/e2e/test_large97.py"],
                    ["tests/soak/large"] + (["--long"] if rounds > 1 else [])]
        words = []
        for program in programs:
            path = os.path.join(TOP, program[0])
            done = subprocess.run([sys.executable, path, *program[1:]], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S)
            assert done.returncode == 0, done.stdout[-2000:]
            words.append(f"{' '.join(program)}: {done.stdout.split('Ran ')[-1].splitlines()[0]}")
        return "; ".join(words)
