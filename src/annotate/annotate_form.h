// The rating form around its data: one HTML file that needs nothing else, keeps what was entered in
// the browser while it is open, and saves a sheet that `straq annotate import` reads. What stands
// between head and tail is JSON: raters, items, scales, and nothing about who wrote what.
#pragma once

namespace straq::annotate {

inline constexpr char kFormHead[] = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Rating replies</title>
<style>
:root { --ink: #1b1f24; --paper: #fff; --soft: #f3f5f7; --line: #c9d0d8; --mute: #57606a;
  --link: #0b57a4; --bad: #9b1c1c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --paper: #14171b; --soft: #1f242a;
  --line: #3b434d; --mute: #a3adb8; --link: #84bdf5; --bad: #ff9a94; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 52rem; padding: 1rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
  "Noto Sans", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; } h2 { font-size: 1.1rem; margin: 1.2rem 0 .4rem; }
button, select, input, textarea { font: inherit; color: inherit; background: var(--soft);
  border: 1px solid var(--line); border-radius: 6px; padding: .35rem .8rem; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.bar { display: flex; flex-wrap: wrap; gap: .5rem .8rem; align-items: center; margin: .6rem 0; }
.bar input[type=file] { max-width: 16rem; }
#status { color: var(--mute); } .bad { color: var(--bad); font-weight: 600; }
.context { background: var(--soft); border-radius: 8px; padding: .5rem .8rem; white-space: pre-line;
  overflow-wrap: anywhere; max-height: 24rem; overflow-y: auto; }
article { border: 1px solid var(--line); border-radius: 8px; padding: .6rem .9rem; margin: 1rem 0; }
blockquote { margin: .3rem 0 .6rem; padding-left: .8rem; border-left: 4px solid var(--link);
  overflow-wrap: anywhere; }
fieldset { border: 0; border-top: 1px solid var(--line); margin: 0; padding: .35rem 0; }
legend { font-weight: 600; padding: 0 .4rem 0 0; }
fieldset p { margin: 0; color: var(--mute); font-size: .9rem; }
.points { display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
.points label { display: inline-flex; gap: .3rem; align-items: center; padding: .2rem .1rem; }
.points .word { font-size: .85rem; color: var(--mute); }
.points input { width: 1.15rem; height: 1.15rem; }
fieldset.open legend::after { content: " (to do)"; color: var(--bad); font-weight: 400; }
textarea { width: 100%; }
</style>
</head>
<body>
<h1>Rating replies</h1>
<p>Each reply is a supporter's next turn in the conversation shown with it. Read the conversation,
then rate every reply by itself on every scale. What wrote a reply is not said. Nothing leaves this
page until you save the sheet; send the saved file back.</p>
<div class="bar"><label>Your name <select id="rater"></select></label>
<label>Go on with a saved sheet <input type="file" id="load" accept=".csv"></label></div>
<main id="page" aria-live="off"></main>
<div class="bar"><button type="button" id="back">Back</button>
<button type="button" id="next">Next</button>
<button type="button" id="todo">Next unfinished</button>
<button type="button" id="save">Save sheet</button>
<span id="status" role="status"></span></div>
<noscript><p class="bad">This form needs JavaScript. Use the CSV sheet instead.</p></noscript>
<script type="application/json" id="data">)html";

inline constexpr char kFormTail[] = R"html(</script>
<script>
(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("data").textContent);
  var by = function (id) { return document.getElementById(id); };
  var answers = {};   // rater -> item -> scale -> text
  var rater = "", at = 0, pages = [];
  var kept = "straq-ratings-" + JSON.stringify(data.raters).length + "-" +
             Object.keys(data.items).join("").slice(0, 60);
  try { answers = JSON.parse(localStorage.getItem(kept)) || {}; } catch (e) { answers = {}; }
  // What was entered and not saved should not be lost by a slip: the browser then asks.
  var unsaved = {};   // rater -> true
  window.addEventListener("beforeunload", function (event) {
    if (Object.keys(unsaved).length === 0) return;
    event.preventDefault();
    event.returnValue = "";
  });
  var keep = function () {
    unsaved[rater] = true;
    try { localStorage.setItem(kept, JSON.stringify(answers)); } catch (e) { /* private mode */ }
  };
  var make = function (tag, text, name) {
    var e = document.createElement(tag);
    if (text) e.textContent = text;
    if (name) e.className = name;
    return e;
  };
  // Without a strategy nothing can be aligned with it.
  var asked = function (code) {
    return data.scales.filter(function (s) {
      return s.key !== "alignment" || data.items[code].strategy !== "";
    });
  };
  var mine = function (code) {
    if (!answers[rater]) answers[rater] = {};
    if (!answers[rater][code]) answers[rater][code] = {};
    return answers[rater][code];
  };
  var finished = function (code) {
    var a = mine(code);
    return asked(code).every(function (s) { return a[s.key]; });
  };
  var report = function () {
    var all = data.raters[rater] || [];
    var done = all.filter(finished).length;
    by("status").textContent = "Page " + (at + 1) + " of " + pages.length + ", " + done + " of " +
        all.length + " replies rated";
  };
  // Replies to the same conversation stand on one page.
  var cut = function () {
    pages = [];
    (data.raters[rater] || []).forEach(function (code) {
      var last = pages[pages.length - 1];
      if (last && data.items[last[0]].context === data.items[code].context) last.push(code);
      else pages.push([code]);
    });
  };
  var scaleField = function (code, s) {
    var a = mine(code), field = make("fieldset"), points = make("div", "", "points");
    field.appendChild(make("legend", s.title));
    field.appendChild(make("p", s.question));
    s.points.forEach(function (word, i) {
      var label = make("label"), input = make("input");
      input.type = "radio";
      input.name = code + "." + s.key;
      input.value = String(i + 1);
      input.checked = a[s.key] === input.value;
      input.addEventListener("change", function () {
        a[s.key] = input.value;
        field.classList.remove("open");
        keep();
        report();
      });
      label.title = word;
      label.appendChild(input);
      label.appendChild(make("span", String(i + 1)));
      if (i === 0 || i === s.points.length - 1) label.appendChild(make("span", word, "word"));
      points.appendChild(label);
    });
    field.classList.toggle("open", !a[s.key]);
    field.appendChild(points);
    return field;
  };
  var show = function () {
    var page = by("page");
    page.textContent = "";
    var codes = pages[at] || [];
    if (codes.length) {
      page.appendChild(make("h2", "Conversation"));
      var context = make("div", data.items[codes[0]].context, "context");
      context.tabIndex = 0;
      context.setAttribute("role", "region");
      context.setAttribute("aria-label", "Conversation");
      page.appendChild(context);
    }
    codes.forEach(function (code, i) {
      var item = data.items[code], box = make("article");
      box.appendChild(make("h2", "Reply " + (i + 1) + " of " + codes.length + " (" + code + ")"));
      box.appendChild(make("blockquote", item.reply || "(no reply)"));
      if (item.strategy) box.appendChild(make("p", "Strategy: " + item.strategy));
      asked(code).forEach(function (s) { box.appendChild(scaleField(code, s)); });
      var label = make("label", "Comment"), note = make("textarea");
      note.rows = 1;
      note.value = mine(code).comment || "";
      note.addEventListener("input", function () { mine(code).comment = note.value; keep(); });
      label.appendChild(note);
      box.appendChild(label);
      page.appendChild(box);
    });
    report();
    window.scrollTo(0, 0);
  };
  var turn = function (to) {
    at = Math.max(0, Math.min(pages.length - 1, to));
    show();
  };
  // What a spreadsheet may take for a formula: its signs, also behind blanks and quotes and in
  // their full-width forms, and what begins with a tab or a line end.
  var before = "[\\s\"'`\u00ab\u00bb\u00ad\u0085\u200b-\u200f\u2018-\u201f" +
      "\u202a-\u202e\u2060-\u2064]*";
  var signs = "[=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u207c\u207a]";
  var dressed = new RegExp("^" + before + signs);
  var formula = function (text) { return /^[\t\r\n]/.test(text) || dressed.test(text); };
  var plain = function (text) {
    text = text.trim();
    return text[0] === "'" && formula(text.slice(1)) ? text.slice(1) : text;
  };
  var cell = function (text) {
    if (formula(text)) text = "'" + text;
    return /[",\n\r\t;]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  };
  var sheet = function () {
    var head = ["rater", "item"].concat(data.scales.map(function (s) { return s.key; }), "comment");
    var rows = (data.raters[rater] || []).map(function (code) {
      var a = mine(code);
      return [rater, code].concat(data.scales.map(function (s) { return a[s.key] || ""; }),
                                  a.comment || "").map(cell).join(",");
    });
    return head.join(",") + "\n" + rows.join("\n") + "\n";
  };
  var fields = function (text) {
    var rows = [[]], value = "", quoted = false;
    for (var i = 0; i < text.length; ++i) {
      var c = text[i];
      if (quoted && c === '"' && text[i + 1] === '"') { value += '"'; ++i; }
      else if (c === '"') quoted = !quoted;
      else if (!quoted && (c === "," || c === "\n")) {
        rows[rows.length - 1].push(value);
        value = "";
        if (c === "\n") rows.push([]);
      } else if (quoted || c !== "\r") value += c;
    }
    return rows.filter(function (r) { return r.length > 1; });
  };
  var take = function (text) {
    var rows = fields(text + "\n"), head = rows[0] || [];
    var who = rows[1] ? plain(rows[1][head.indexOf("rater")] || "") : "";
    if (!data.raters[who]) return "This file is no sheet of this form.";
    rater = who;
    by("rater").value = who;
    rows.slice(1).forEach(function (row) {
      var code = plain(row[head.indexOf("item")] || "");
      if (data.raters[who].indexOf(code) < 0) return;
      head.forEach(function (name, i) {
        if (name !== "rater" && name !== "item" && row[i]) mine(code)[name] = plain(row[i]);
      });
    });
    keep();
    delete unsaved[who];  // it is as its file
    cut();
    turn(0);
    return "";
  };
  Object.keys(data.raters).forEach(function (name) {
    var option = make("option", name);
    option.value = name;
    by("rater").appendChild(option);
  });
  by("rater").addEventListener("change", function () {
    rater = by("rater").value;
    cut();
    turn(0);
  });
  by("load").addEventListener("change", function () {
    var file = by("load").files[0];
    if (!file) return;
    file.text().then(function (text) {
      var wrong = take(text);
      if (wrong) by("status").textContent = wrong;
    });
  });
  by("back").addEventListener("click", function () { turn(at - 1); });
  by("next").addEventListener("click", function () { turn(at + 1); });
  by("todo").addEventListener("click", function () {
    for (var k = 1; k <= pages.length; ++k) {
      var page = (at + k) % pages.length;
      if (!pages[page].every(finished)) { turn(page); return; }
    }
    by("status").textContent = "Everything is rated: save the sheet.";
  });
  by("save").addEventListener("click", function () {
    var open = (data.raters[rater] || []).filter(function (c) { return !finished(c); }).length;
    var link = make("a");
    link.href = URL.createObjectURL(new Blob([sheet()], { type: "text/csv" }));
    link.download = rater + ".csv";
    link.click();
    delete unsaved[rater];
    by("status").textContent = open ? "Saved, but " + open + " replies are not finished yet."
                                    : "Saved. Send the file back.";
  });
  // For tests.
  window.straqForm = { sheet: sheet, take: take };
  rater = Object.keys(data.raters)[0] || "";
  cut();
  turn(0);
})();
</script>
</body>
</html>
)html";

}  // namespace straq::annotate
