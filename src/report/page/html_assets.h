// What every report page carries inside: its style sheet, its small script and the explanation of
// terms. Kept apart from the code that renders, which is about structure and escaping.
#pragma once

namespace straq::report {

inline constexpr char kStyle[] = R"css(
:root { --ink: #1b1f24; --paper: #ffffff; --soft: #f3f5f7; --line: #c9d0d8; --mute: #57606a;
  --link: #0b57a4; --good: #14632f; --bad: #9b1c1c; --wait: #7a4b00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --paper: #14171b; --soft: #1f242a; --line: #3b434d; --mute: #a3adb8;
    --link: #84bdf5; --good: #7fd19b; --bad: #ff9a94; --wait: #f0c171; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 1rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
  "Noto Sans", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; display: inline; overflow-wrap: anywhere; }
header p { margin: .2rem 0 .6rem; color: var(--mute); overflow-wrap: anywhere; }
nav a { margin-right: 1rem; }
a { color: var(--link); }
td a.cell { color: inherit; text-decoration: none; }
td a.cell:hover, td a.cell:focus { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.scroll { overflow-x: auto; margin: 1rem 0 .3rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .2rem 0; }
th, td { padding: .25rem .6rem; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td:last-child:not(.number) { min-width: 8rem; overflow-wrap: anywhere; }
th.number, td.number { text-align: right; white-space: nowrap; }
td.number.estimate { white-space: normal; padding-left: .4rem; padding-right: .4rem; }
tbody th { font-weight: 500; overflow-wrap: anywhere; min-width: min(12rem, 35vw);
  position: sticky; left: 0; background: var(--paper); }
thead th { background: var(--soft); vertical-align: bottom; padding: 0; }
thead th:first-child { position: sticky; left: 0; z-index: 1; }
thead button { font: inherit; color: inherit; background: none; border: 0; cursor: pointer;
  padding: .35rem .6rem; width: 100%; text-align: inherit; font-weight: 600; }
th[aria-sort=ascending] button::after { content: " \2191"; }
th[aria-sort=descending] button::after { content: " \2193"; }
thead th > span { display: block; padding: .35rem .6rem; }
td small { display: block; color: var(--mute); font-size: .8em; font-weight: normal; }
td.long { min-width: 18rem; white-space: normal; }
.index { columns: 20rem; font-size: .9rem; }
.talk { list-style: none; padding: 0; max-width: 46rem; }
.talk li { border: 1px solid var(--line); border-radius: 10px; padding: .4rem .8rem;
  margin: .5rem 0 .5rem 3rem; }
.talk li.seeker { background: var(--soft); margin: 1.4rem 3rem .5rem 0; }
.talk li.human { border-style: dashed; }
.talk p { margin: .2rem 0; overflow-wrap: anywhere; }
.talk .who { font-weight: 600; } .talk .about { color: var(--mute); font-size: .85rem; }
tr.baseline { color: var(--mute); font-style: italic; }
.note { color: var(--mute); font-size: .85rem; margin: .15rem 0; max-width: 60rem; }
.counts { list-style: none; display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; padding: 0; }
.counts strong { font-size: 1.3rem; }
.problems { color: var(--bad); padding-left: 1.2rem; overflow-wrap: anywhere; }
.gaps { color: var(--mute); padding-left: 1.2rem; }
.absent { color: var(--mute); }
.state { font-size: .85rem; font-weight: 600; margin-left: .4rem; }
.state.done { color: var(--good); } .state.failed { color: var(--bad); }
.state.unfinished, .state.not-started { color: var(--wait); }
details.run { border: 1px solid var(--line); border-radius: 6px; padding: .5rem .8rem;
  margin: .5rem 0; }
summary { cursor: pointer; }
pre { background: var(--soft); padding: .7rem; overflow-x: auto; font-size: .82rem; }
pre.reason { white-space: pre-wrap; }
figure { margin: 1rem 0; }
figure img { display: block; max-width: 100%; min-width: 34rem; background: #fff; padding: .3rem;
  border-radius: 4px; }
figcaption { color: var(--mute); font-size: .9rem; max-width: 60rem; }
dt { font-weight: 600; } dd { margin: 0 0 .5rem 1rem; max-width: 60rem; }
@page { size: A4 landscape; margin: 12mm; }
@media print {
  :root { --ink: #000; --paper: #fff; --soft: #f3f3f3; --line: #999; --mute: #333; }
  body { max-width: none; font-size: 10pt; }
  nav { display: none; }
  .scroll { overflow: visible; }
  tbody th, thead th:first-child { position: static; }
  /* Paper does not scroll: every column must fit. */
  table { font-size: 7pt; }
  table.wide { font-size: 5.5pt; }
  table.wide th { hyphens: auto; }
  th, td { padding: .1rem .2rem; white-space: normal !important; min-width: 0 !important; }
  td.long { min-width: 12rem !important; }
  thead button { padding: .1rem .25rem; }
  figure, tr { break-inside: avoid; }
  figure img { min-width: 0; max-height: 16cm; }
  details.run { border: 0; padding: 0; }
  .talk li { break-inside: avoid; }
}
/* Text keeps its measure on a wide screen; a table may use what is free to its right. */
@media screen and (min-width: 86rem) {
  .scroll { width: max-content; max-width: calc(50vw + 40rem); }
}
@media (max-width: 34rem) {
  body { padding: .6rem; }
  figure img { min-width: 0; }
  .talk li { margin-left: 1rem; } .talk li.seeker { margin-right: 1rem; }
}
)css";

inline constexpr char kScript[] = R"js(
(function () {
  "use strict";
  // Sort a table by the column of the button pressed; numbers by value, gaps last.
  document.querySelectorAll("thead button").forEach(function (button) {
    button.addEventListener("click", function () {
      var th = button.parentElement, table = th.closest("table"), body = table.tBodies[0];
      var column = th.cellIndex, down = th.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("thead th").forEach(function (other) {
        other.removeAttribute("aria-sort");
      });
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      var key = function (row) {
        var cell = row.cells[column];
        return cell.hasAttribute("data-v") ? cell.getAttribute("data-v") : cell.textContent;
      };
      var rows = Array.from(body.rows).map(function (row) { return { row: row, key: key(row) }; });
      var text = rows.some(function (r) { return r.key !== "" && isNaN(Number(r.key)); });
      rows.sort(function (a, b) {
        if ((a.key === "") !== (b.key === "")) return a.key === "" ? 1 : -1;
        var order = text ? a.key.localeCompare(b.key, undefined, { numeric: true })
                         : Number(a.key) - Number(b.key);
        return down ? -order : order;
      });
      rows.forEach(function (r) { body.appendChild(r.row); });
    });
  });
  // A link to a run opens it.
  var open = function () {
    var at = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (at && at.tagName === "DETAILS") { at.open = true; at.scrollIntoView(); }
  };
  window.addEventListener("hashchange", open);
  open();
  // On paper nothing can be unfolded.
  var folded = [];
  window.addEventListener("beforeprint", function () {
    folded = Array.from(document.querySelectorAll("details:not([open])"));
    folded.forEach(function (d) { d.open = true; });
  });
  window.addEventListener("afterprint", function () {
    folded.forEach(function (d) { d.open = false; });
  });
})();
)js";

// The list goes on with kPaperTerms where the paper's numbers are shown, and ends with kTermsEnd.
inline constexpr char kTerms[] = R"html(<section id="terms"><h2>Terms</h2><dl>
<dt>Acc</dt><dd>Percent of decisions at which the planner chose the human supporter's strategy.
For one strategy: its recall.</dd>
<dt>macro-F1</dt><dd>The F1 score averaged over all strategies with equal weight, in percent. For
one strategy: its F1.</dd>
<dt>B</dt><dd>Bias: standard deviation of the Bradley-Terry preference for the strategies, 0 when
wrong choices favour none. It does not look at right choices, so a planner that draws at random has
a low B: read it together with Acc and macro-F1.</dd>
<dt>Interval</dt><dd>95 percent percentile bootstrap that draws whole dialogues. Two planners whose
difference is smaller than such an interval is wide should be compared by a paired test.</dd>
<dt>≈, bold, underlined</dt><dd>Bold: the best of its block, where a paired test by dialogue upholds
its lead over the second, and from three training seeds on a test over seeds as well; underlined:
the second, likewise over the third. ≈: the best or what the tests cannot tell from it; ≈s: what
seeds alone cannot, ≈d: what dialogues alone cannot. A number without a mark was not tested.</dd>
<dt>Trivial planners</dt><dd>Majority: the one strategy that would score best on this split. Repeat
last: the supporter's strategy before. Markov-1: what most often followed the strategy before in the
train split, and for the test split in valid too.</dd>
)html";

inline constexpr char kPaperTerms[] = R"html(<dt>Q</dt><dd>What the paper calls macro-F1, its
proficiency; it is not a Q value.</dd>
<dt>†</dt><dd>A cell of the paper that contradicts itself or that nothing explains; the table's
notes say why.</dd>
)html";

inline constexpr char kTermsEnd[] = "</dl></section>\n";

}  // namespace straq::report
