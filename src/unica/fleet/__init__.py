"""Many jobs on many processes: on this machine, or on a Ray cluster.

    # squares.py
    def area(description):
        return {"area": description["side"] ** 2}

    # anywhere
    from unica.fleet import Job, run, stream
    jobs = (Job(f"square {side}", "squares:area", {"side": side}) for side in range(100_000))
    areas = run(jobs, workers=4)                                   # all results, in the order of the jobs
    for done in stream(jobs, workers=4): done.job, done.result     # each as it arrives

A *job* is the name of a function and its argument: a description in JSON. The function writes whole files, and returns
paths and numbers, also in JSON; pictures do not travel. It may be called again for the same description (after its
process died), and must then write the same files. What it caches, a model with `functools.lru_cache` say, stays for the
next jobs of its process. Jobs are taken from the iterable when a worker is free. Whoever makes the jobs leaves out what
is done already.

Where jobs run is said by two values, which all commands have:

- `workers`: how many jobs at a time. With 1, they run in this process.
- `ray`: "here" starts a Ray cluster on this machine, "auto" finds the one that this machine belongs to, and HOST:PORT
  is the address of its head. All its machines must have unica, and see the same folders by the same paths.
"""

from unica.fleet.address import check_address, check_reachable
from unica.fleet.job import Job
from unica.fleet.running import MOST_WORKERS, Done, run, several, stream

__all__ = ["MOST_WORKERS", "Done", "Job", "check_address", "check_reachable", "run", "several", "stream"]
