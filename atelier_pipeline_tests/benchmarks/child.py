"""One case in a process of its own, so that neither its memory nor its threads meet another's.

`python -m atelier_pipeline_tests.benchmarks.child MODULE FUNCTION PARAMETERS`; the last line that
it prints is the sample as JSON.
"""

import importlib
import json
import sys

from atelier_pipeline_tests.benchmarks.stopwatch import Stopwatch, one_core

CASES = "atelier_pipeline_tests.benchmarks.cases"


def main() -> None:
    """Run the case that the command line names."""
    module, function, text = sys.argv[1:]
    parameters = json.loads(text)
    if parameters.pop("one_core", False):
        one_core()
    case = getattr(importlib.import_module(f"{CASES}.{module}"), function)
    print(json.dumps(case(Stopwatch(), **parameters)))  # noqa: T201 - the sample


if __name__ == "__main__":
    main()
