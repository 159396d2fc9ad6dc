#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The layer check finds what it has to find, and nothing else."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools/check_layers"


class check_layers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)
        self.write("include/polypool/error.hpp", "/// @ingroup base\n")
        self.write("include/polypool/manager.hpp", "/// @ingroup manager\n#include <polypool/error.hpp>\n")
        self.write("src/base/error.cpp", "#include <polypool/error.hpp>\n#include <vector>\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_tool(self):
        done = subprocess.run([sys.executable, TOOL, self.root], capture_output=True, text=True)
        return done.returncode, done.stdout

    def test_a_tidy_house_passes(self):
        self.write("src/pool/pool.hpp", "")
        self.write("src/pool/pool.cpp", '#include "pool/pool.hpp"\n#include <polypool/error.hpp>\n')
        self.write("src/manager/manager.cpp", '#include "pool/pool.hpp"\n')
        self.assertEqual(self.run_tool(), (0, ""))

    def test_an_upward_include_fails_with_file_and_line(self):
        self.write("src/pool/pool.cpp", "#include <vector>\n#include <polypool/manager.hpp>\n")
        status, text = self.run_tool()
        self.assertEqual(status, 1)
        self.assertIn("src/pool/pool.cpp:2: pool (floor 2) may not include polypool/manager.hpp of manager", text)

    def test_an_upward_include_of_a_private_header_fails(self):
        self.write("src/manager/core.hpp", "")
        self.write("src/config/load.cpp", '#include "manager/core.hpp"\n')
        status, text = self.run_tool()
        self.assertEqual(status, 1)
        self.assertIn("src/config/load.cpp:1", text)

    def test_a_public_header_may_not_look_up_either(self):
        self.write("include/polypool/error.hpp", "/// @ingroup base\n#include <polypool/manager.hpp>\n")
        self.assertEqual(self.run_tool()[0], 1)

    def test_drivers_do_not_know_each_other(self):
        self.write("include/polypool/sqlite.hpp", "/// @ingroup drivers\n")
        self.write("src/drivers/sqlite/driver.cpp", "#include <polypool/sqlite.hpp>\n")
        self.write("src/drivers/postgres/driver.cpp", "#include <polypool/error.hpp>\n")
        self.assertEqual(self.run_tool(), (0, ""))
        self.write("src/drivers/postgres/driver.cpp", "#include <polypool/sqlite.hpp>\n")
        self.assertEqual(self.run_tool()[0], 1)

    def test_unknown_rooms_and_groups_fail(self):
        self.write("src/attic/box.cpp", "")
        self.write("include/polypool/lost.hpp", "")
        status, text = self.run_tool()
        self.assertEqual(status, 1)
        self.assertIn("src/attic:1: unknown room", text)
        self.assertIn("include/polypool/lost.hpp:1: has no @ingroup", text)

    def test_an_include_that_leads_nowhere_fails(self):
        self.write("src/pool/pool.cpp", "#include <polypool/nothing.hpp>\n")
        self.assertIn("there is no public header polypool/nothing.hpp", self.run_tool()[1])


if __name__ == "__main__":
    unittest.main()
