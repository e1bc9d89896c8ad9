"""Run by `python3 -m unittest discover -s benches/compare`."""

import unittest

from quiet import verdict, why_busy
from report import goal_lines
from timing import Figures

REST = {"s5cmd": [0.9, 0.95, 1.0], "mc": [1.0, 1.1, 1.2], "sacker": [1.0, 1.1, 1.2]}


class Busy(unittest.TestCase):
    def test_a_machine_at_rest(self):
        self.assertEqual(why_busy(REST), [])
        self.assertEqual(why_busy(REST, REST), [])

    def test_a_peer_whose_runs_spread(self):
        busy = REST | {"s5cmd": [1.17, 2.31, 3.0]}
        self.assertEqual(why_busy(busy), ["the runs of s5cmd spread by 79% of their median"])

    def test_a_peer_that_drifts_in_either_direction(self):
        for factor in (2.0, 0.5):
            drifted = REST | {"mc": [factor * run for run in REST["mc"]]}
            self.assertEqual(why_busy(drifted), [])
            self.assertEqual(why_busy(drifted, REST), [f"mc took {factor:.1f} × what it took before"])

    def test_sacker_is_no_measure_of_the_machine(self):
        self.assertEqual(why_busy(REST | {"sacker": [1.0, 3.0, 9.0], "sacker, no fsync": [1.0, 9.0, 9.0]}, REST), [])

    def test_milliseconds_are_no_measure_either(self):
        self.assertEqual(why_busy({"crane": [0.010, 0.020, 0.030]}), [])

    def test_a_new_peer_has_nothing_to_drift_from(self):
        self.assertEqual(why_busy(REST | {"oras": [2.0, 2.1, 2.2]}, REST), [])


class Published(unittest.TestCase):
    def test_a_goal_is_judged_only_at_rest(self):
        self.assertEqual(verdict(0.97, 1.1, []), "met")
        self.assertEqual(verdict(1.38, 1.1, []), "**missed**")
        self.assertEqual(verdict(0.97, 1.1, ["busy"]), "not judged: busy machine")

    def test_no_line_of_a_busy_row_says_that_a_goal_is_met(self):
        figures = {name: Figures(wall=runs, cpu=runs, memory=[1, 1, 1]) for name, runs in REST.items()}
        at_rest = list(goal_lines("download", "download 1 GiB", figures, []))
        self.assertTrue(any(line.endswith("| met |") for line in at_rest))
        busy = list(goal_lines("download", "download 1 GiB", figures, ["busy"]))
        self.assertEqual(len(busy), len(at_rest))
        self.assertFalse(any("| met |" in line or "missed" in line for line in busy))


if __name__ == "__main__":
    unittest.main()
