"""Time to a certificate: parsimo beside the libraries that a user would take instead, in one run.

`python -m benchmarks.speed --help` says how to run it, docs/benchmarks.md what came out.

    cases.py          what is minimized: seeded instances, the weight, who is held against whom
    contestants/      one file a library: its solvers, and the objective as the library writes it
    judge.py          parsimo's certificate of any returned point; translations that disagree are refused
    worker.py         a contestant in a process of its own, with a clock
    race.py           the loosest tolerance that is good enough, then interleaved repeats; resumable
    tables.py         medians and ratios in Markdown
"""
