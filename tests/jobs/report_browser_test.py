"""The report and the rating form in a real browser: headless Chromium opens both from disk.

What can be asked of a page is asked by a script that is added to a copy of it and leaves what it saw in
the page, which Chromium prints. What needs hands (keys, clicks, downloads, a print) is done by
browser_page.Page.
"""
import csv
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from browser_page import BROWSER, Page  # noqa: E402

STRAQ = os.environ.get("STRAQ", "build/cpu/straq")
BUILD = pathlib.Path(os.environ.get("STRAQ_BUILD", "build/cpu"))
SOURCE = pathlib.Path(os.environ.get("STRAQ_SOURCE", "."))
GOLDEN = SOURCE / "tests/report/golden/folder"


def straq(*words, fails=False):
    done = subprocess.run([STRAQ, *map(str, words)], capture_output=True, text=True, cwd=SOURCE)
    if not fails and done.returncode != 0:
        raise AssertionError(f"straq {words}: {done.returncode}\n{done.stderr}")
    return done


def seen_in(page, script, folder, width=1280):
    """What `script`, a JavaScript expression, gives in the page."""
    probe = ("<script>window.addEventListener('load', function () { var out;"
             "try { out = (function () {" + script + "})(); } catch (e) { out = {error: String(e)}; }"
             "var pre = document.createElement('pre'); pre.id = 'probe';"
             "pre.textContent = JSON.stringify(out); document.body.appendChild(pre); });</script>")
    html = page.read_text(encoding="utf-8")
    copy = folder / f"probe-{page.name}"
    copy.write_text(html.replace("</body>", probe + "</body>"), encoding="utf-8")
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         f"--user-data-dir={folder}/profile", f"--window-size={width},900",
         "--virtual-time-budget=4000", "--dump-dom", copy.as_uri()],
        capture_output=True, text=True, timeout=300)
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    if not found:
        raise AssertionError("the page did not come up: " + done.stderr[-2000:])
    text = found.group(1)
    for sign, plain in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(sign, plain)
    return json.loads(text)


class Browser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="straq-browser-"))
        # A copy with every run's evaluation.json, as the test that reads the folder makes it.
        whole = cls.folder / "golden"
        subprocess.run([BUILD / "tests/test_report", "--gtest_filter=GoldenRanking.ByAcc*"],
                       check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "STRAQ_GOLDEN_FOLDER": str(whole)})
        straq("report", whole, "--out", cls.folder / "report", "--run-figures", 1)
        cls.page = cls.folder / "report/report.html"

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def test_columns_sort_by_value_and_b_does_not(self):
        seen = seen_in(self.page, """
            var table = document.querySelector("#table1 table");
            var heads = Array.from(table.tHead.rows[0].cells);
            var column = heads.findIndex(function (h) { return h.textContent === "Acc ↑"; });
            var values = function () {
              return Array.from(table.tBodies[0].rows).map(function (r) {
                return parseFloat(r.cells[column].textContent);
              }).filter(function (x) { return !isNaN(x); });
            };
            heads[column].querySelector("button").click();
            var up = values();
            heads[column].querySelector("button").click();
            return {up: up, down: values(), sort: heads[column].getAttribute("aria-sort"),
                    b: heads.filter(function (h) {
                      return h.textContent === "B ↓" && h.querySelector("button");
                    }).length};""", self.folder)
        self.assertGreater(len(seen["up"]), 10)
        self.assertEqual(seen["up"], sorted(seen["up"]))
        self.assertEqual(seen["down"], sorted(seen["up"], reverse=True))
        self.assertEqual(seen["sort"], "descending")
        self.assertEqual(seen["b"], 0, "B alone ranks nothing")

    def test_everything_is_inside_and_reachable_by_keyboard(self):
        seen = seen_in(self.page, """
            var all = function (q) { return Array.from(document.querySelectorAll(q)); };
            return {
              pictures: all("img").length,
              broken: all("img").filter(function (i) { return !i.naturalWidth; }).length,
              loaded: performance.getEntriesByType("resource").filter(function (r) {
                return r.name.indexOf("data:") !== 0; }).length,
              dead: all('a[href^="#"]').filter(function (a) {
                return !document.getElementById(a.getAttribute("href").slice(1)); }).length,
              scroll: all(".scroll").length,
              focusable: all(".scroll").filter(function (s) { return s.tabIndex === 0; }).length,
              ids: all("[id]").length - new Set(all("[id]").map(function (e) {
                return e.id; })).size,
              talk: all(".talk li").length, findings: all("#findings table").length };""",
                       self.folder)
        self.assertGreater(seen["pictures"], 8)
        self.assertEqual(seen["broken"], 0)
        self.assertEqual(seen["loaded"], 0, "the page loads nothing")
        self.assertEqual(seen["dead"], 0, "links lead somewhere")
        self.assertEqual(seen["scroll"], seen["focusable"], "what scrolls can be focused")
        self.assertEqual(seen["ids"], 0, "no id twice")
        self.assertGreater(seen["talk"], 10)
        self.assertEqual(seen["findings"], 2)

    def test_a_link_from_the_overview_opens_the_run(self):
        seen = seen_in(self.page, """
            var link = Array.from(document.querySelectorAll("#overview tbody a")).find(
              function (a) { return a.textContent === "imit-1"; });
            var at = document.getElementById(link.getAttribute("href").slice(1));
            var before = at.open;
            location.hash = link.getAttribute("href");
            window.dispatchEvent(new HashChangeEvent("hashchange"));
            return {before: before, after: at.open, text: at.textContent};""", self.folder)
        self.assertFalse(seen["before"])
        self.assertTrue(seen["after"])
        for part in ("Configuration", "Provenance", "gamma: 0.85"):
            self.assertIn(part, seen["text"])

    def test_enter_on_a_column_sorts_and_enter_on_a_run_opens_it(self):
        with Page(self.page, self.folder / "keys") as page:
            page.value("""window.column = function () {
                var table = document.querySelector("#table1 table");
                var at = Array.from(table.tHead.rows[0].cells).findIndex(function (h) {
                  return h.textContent === "Acc ↑"; });
                return {head: table.tHead.rows[0].cells[at],
                        values: Array.from(table.tBodies[0].rows).map(function (r) {
                          return parseFloat(r.cells[at].textContent);
                        }).filter(function (x) { return !isNaN(x); })}; }; 0""")
            # The button is reached by Tab alone: from the one before it.
            page.value("""(function () { var h = column().head.previousElementSibling;
                h.querySelector("button").focus(); })()""")
            page.press("Tab")
            self.assertEqual(page.value("document.activeElement.textContent"), "Acc ↑")
            page.press("Enter")
            up = page.value("column().values")
            self.assertGreater(len(up), 10)
            self.assertEqual(up, sorted(up))
            self.assertEqual(page.value("column().head.getAttribute('aria-sort')"), "ascending")
            page.press(" ")
            self.assertEqual(page.value("column().values"), sorted(up, reverse=True))

            page.value("""(function () { window.link = Array.from(
                document.querySelectorAll("#overview tbody a")).find(function (a) {
                  return a.textContent === "imit-1"; });
                window.run = document.getElementById(link.getAttribute("href").slice(1));
                link.focus(); })()""")
            self.assertFalse(page.value("run.open"))
            page.press("Enter")
            page.until("run.open")
            self.assertIn("Provenance", page.value("run.textContent"))
            # Its parts fold out by key as well.
            page.value("Array.from(run.querySelectorAll('summary')).find(function (s) {"
                       "return s.textContent === 'Configuration'; }).focus()")
            page.press(" ")
            self.assertTrue(page.value("document.activeElement.parentElement.open"))

    def test_it_prints_whole(self):
        with Page(self.page, self.folder / "print") as page:
            pdf = page.pdf()
            self.assertTrue(pdf.startswith(b"%PDF"))
            self.assertIn(b"%%EOF", pdf[-1024:])
            pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))
            self.assertGreater(pages, 10, "tables, figures and every run unfolded")
            self.assertGreater(len(pdf), 100_000)
            # A4 landscape less its margins is 273 mm; what is wider would be cut at the edge.
            wide = int(273 / 25.4 * 96)
            page.call("Emulation.setEmulatedMedia", media="print")
            page.call("Emulation.setDeviceMetricsOverride", width=wide, height=720,
                      deviceScaleFactor=1, mobile=False)
            cut = page.value("""(function () {
                window.dispatchEvent(new Event("beforeprint"));
                return Array.from(document.querySelectorAll("table, pre, img, p, li, td, th"))
                  .filter(function (e) { return e.getClientRects().length &&
                    (e.getBoundingClientRect().right > %d + 1 ||
                     (e.tagName === "PRE" && e.scrollWidth > e.clientWidth + 1)); })
                  .map(function (e) { return e.tagName + ": " + e.textContent.slice(0, 60); });
                })()""" % wide)
            self.assertEqual(cut, [])
            self.assertEqual(page.value("document.querySelectorAll('details:not([open])').length"), 0,
                             "on paper nothing can be unfolded")
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   f"--user-data-dir={self.folder}/pdf", f"--print-to-pdf={self.folder}/report.pdf",
                   self.page.as_uri()]
        subprocess.run(command, capture_output=True, timeout=300, check=True)
        self.assertGreater((self.folder / "report.pdf").stat().st_size, 100_000)

    def test_a_phone_shows_it_without_scrolling_the_page_sideways(self):
        # Headless Chromium has a least window width, so the page is put into a narrow frame.
        frame = self.folder / "frame.html"
        frame.write_text('<!DOCTYPE html><body><iframe id="f" width="390" height="800" src="' +
                         self.page.as_uri() + '"></iframe></body>')
        done = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--disable-web-security", "--allow-file-access-from-files",
             f"--user-data-dir={self.folder}/phone", "--virtual-time-budget=4000", "--dump-dom",
             self.with_width(frame).as_uri()], capture_output=True, text=True, timeout=300)
        found = re.search(r'<pre id="probe">(\d+) (\d+)</pre>', done.stdout)
        self.assertTrue(found, done.stderr[-1500:])
        wide, visible = int(found.group(1)), int(found.group(2))
        self.assertEqual(visible, 390)
        self.assertLessEqual(wide, visible)

    def with_width(self, frame):
        text = frame.read_text().replace("</body>", """<script>
            window.addEventListener("load", function () {
              var w = document.getElementById("f").contentWindow;
              var pre = document.createElement("pre");
              pre.id = "probe";
              pre.textContent = w.document.documentElement.scrollWidth + " " + w.innerWidth;
              document.body.appendChild(pre);
            });</script></body>""")
        frame.write_text(text)
        return frame

    def test_a_sheet_filled_in_the_form_is_imported(self):
        results = self.folder / "results"
        shutil.copytree(GOLDEN / "replies", results / "replies",
                        ignore=shutil.ignore_patterns("human"))
        rating = self.folder / "rating"
        straq("annotate", "export", results, "--out", rating, "--raters", "ada,ben",
              "--methods", "sft/straq_imit,sft/direct", "--decisions", 4)
        seen = seen_in(rating / "form.html", """
            var pages = 0;
            for (;;) {
              ++pages;
              document.querySelectorAll("fieldset").forEach(function (f, i) {
                f.querySelectorAll("input")[i % 5].click();
              });
              var before = document.getElementById("page").textContent;
              document.getElementById("next").click();
              if (document.getElementById("page").textContent === before) break;
            }
            document.querySelector("textarea").value = 'said "so", twice';
            document.querySelector("textarea").dispatchEvent(new Event("input"));
            var sheet = window.straqForm.sheet();
            return {pages: pages, sheet: sheet, said: document.getElementById("status").textContent,
                    again: window.straqForm.take(sheet) || window.straqForm.sheet(),
                    wrong: window.straqForm.take("no,sheet\\n1,2\\n"),
                    loaded: performance.getEntriesByType("resource").length};""", self.folder)
        self.assertNotIn("error", seen, seen)
        self.assertEqual(seen["pages"], 4, "a page a decision")
        self.assertIn("12 of 12 replies rated", seen["said"])
        self.assertEqual(seen["again"], seen["sheet"], "a saved sheet can be gone on with")
        self.assertIn("no sheet", seen["wrong"])
        self.assertEqual(seen["loaded"], 0)
        rows = list(csv.DictReader(io.StringIO(seen["sheet"])))
        self.assertEqual(len(rows), 12)
        self.assertIn('said "so", twice', [r["comment"] for r in rows])
        sheet = self.folder / "ada.csv"
        sheet.write_text(seen["sheet"], encoding="utf-8")
        done = straq("--format", "json", "annotate", "import", rating / "key.json", sheet,
                     "--results", results)
        self.assertEqual(json.loads(done.stdout)["ratings"], 12)
        self.assertEqual(json.loads(done.stdout)["absent"], ["ben"])
        refused = straq("annotate", "import", rating / "key.json", rating / "sheets/ben.csv",
                        "--results", results, fails=True)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("is unfinished", refused.stderr)


    def test_save_is_clicked_and_what_is_not_saved_is_asked_about(self):
        rating = self.folder / "clicked"
        done = straq("annotate", "export", GOLDEN, "--out", rating, "--raters", "ada,ben",
                     "--methods", "sft/straq_imit,sft/direct", "--decisions", 2)
        # Which file each method's replies are from; the folder has a sweep of straq_imit too.
        self.assertIn("straq_imit (sft): replies/sft/responses/straq_imit.jsonl", done.stdout)
        done = straq("--format", "json", "annotate", "export", GOLDEN, "--out", self.folder / "named",
                     "--raters", "ada,ben", "--methods", "sft/straq_imit", "--decisions", 2,
                     "--run", "gamma/g0.85-1")
        self.assertEqual([s["run"] for s in json.loads(done.stdout)["sources"]],
                         ["gamma/g0.85-1", "gamma/g0.85-1"], "the corpus's own and the method")
        with Page(rating / "form.html", self.folder / "form") as page:
            page.click("fieldset input[value='4']")
            self.assertTrue(page.value("document.querySelector(\"fieldset input[value='4']\").checked"))
            page.leave()
            self.assertEqual(page.dialogs, ["beforeunload"], "a rating was not saved yet")
        with Page(rating / "form.html", self.folder / "form-2") as page:
            page.click("fieldset input[value='4']")
            page.click("#save")
            saved = page.downloaded("ada.csv")
            self.assertEqual(saved, page.value("window.straqForm.sheet()"))
            self.assertIn(",4,", saved)
            self.assertIn("not finished yet", page.value("document.getElementById('status').textContent"))
            page.leave()
            self.assertEqual(page.dialogs, [], "everything is saved")
        with Page(rating / "form.html", self.folder / "form-3") as page:
            page.click("#next")
            page.leave()
            self.assertEqual(page.dialogs, [], "nothing was entered")


if __name__ == "__main__":
    if BROWSER is None:
        print("skipped: no Chromium here (Debian and Ubuntu: chromium)")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
