"""tests/run.sh must name what was skipped and why: checks the reader of ctest's log on a real log's
form, both kinds of skipping, and that a passing test with similar output is not listed."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from skipped import skipped_tests  # noqa: E402

LOG = """\
1/3 Testing: text
1/3 Test: text
Output:
----------------------------------------------------------
[ RUN      ] A.Passes
[       OK ] A.Passes (0 ms)
\x1b[0;32m[ RUN      ] \x1b[mA.NeedsData
somewhere/text_test.cpp:12: Skipped
real data absent: esconv
\x1b[0;32m[  SKIPPED ] \x1b[mA.NeedsData (0 ms)
[  SKIPPED ] 1 test, listed below:
[  SKIPPED ] A.NeedsData
<end of output>
Test time =   0.49 sec
----------------------------------------------------------
Test Passed.
2/3 Testing: slurm_batch
2/3 Test: slurm_batch
Output:
----------------------------------------------------------
looking
no slurmctld here
<end of output>
Test Passed.
3/3 Testing: good
3/3 Test: good
Output:
no slurmctld here
<end of output>
Test Passed.
"""
SUMMARY = """\
100% tests passed, 0 tests failed out of 3

The following tests did not run:
\t  2 - slurm_batch (Skipped)
"""

found = skipped_tests(LOG, SUMMARY)
expected = [("text", "A.NeedsData", "real data absent: esconv"),
            ("slurm_batch", None, "no slurmctld here")]
if found != expected:
    sys.exit(f"expected {expected}\n   found {found}")
