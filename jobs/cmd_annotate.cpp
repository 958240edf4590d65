// straq annotate: replies onto blinded rating sheets, filled sheets back into the results folder.
#include <iostream>
#include <memory>

#include "annotate/annotate.h"
#include "command.h"
#include "core/error.h"
#include "core/log.h"

namespace straq::jobs {
namespace {

struct AnnotateOptions {
  annotate::ExportOptions out;
  annotate::ImportOptions in;
  int count = 0;  // of raters without names
};

int export_sheets(AnnotateOptions o, const Common& common) {
  for (int r = 1; r <= o.count; ++r) o.out.raters.push_back("r" + std::to_string(r));
  const auto results = results::read_results(o.out.results);
  const auto plan = annotate::plan_ratings(results, o.out);
  annotate::write_rating_files(plan, o.out.out);
  for (const auto& what : plan.left_out) log::warn("annotate", "{}", what);
  if (common.json()) {
    nlohmann::ordered_json j;
    j["folder"] = o.out.out;
    j["items"] = plan.items.size();
    j["sources"] = nlohmann::ordered_json::array();
    for (const auto& s : plan.sources) {
      j["sources"].push_back({{"method", s.method},
                              {"responder", s.responder},
                              {"run", s.run},
                              {"replies", s.replies}});
    }
    j["raters"] = nlohmann::ordered_json::object();
    for (const auto& [rater, codes] : plan.assigned) j["raters"][rater] = codes.size();
    print_json(j);
    return 0;
  }
  std::cout << plan.items.size() << " replies by " << plan.sources.size() << " methods";
  for (const auto& s : plan.sources) {
    std::cout << "\n  " << s.method << (s.responder.empty() ? "" : " (" + s.responder + ")") << ": "
              << (s.method == "human" ? "the references of " : "") << s.replies;
  }
  for (const auto& [rater, codes] : plan.assigned) {
    std::cout << "\n  " << rater << ": " << codes.size() << " to rate";
  }
  std::cout << "\nForm: " << o.out.out << "/form.html, sheets: " << o.out.out
            << "/sheets; keep key.json from the raters\n";
  return 0;
}

int import_sheets(const AnnotateOptions& o, const Common& common) {
  const auto result = annotate::import_ratings(o.in);
  for (const auto& rater : result.absent) log::warn("annotate", "there is no sheet of {}", rater);
  if (common.json()) {
    print_json({{"ratings", result.ratings}, {"files", result.files}, {"absent", result.absent}});
    return 0;
  }
  std::cout << result.ratings << " ratings into " << result.files.size() << " files; `straq report "
            << o.in.results << "` shows them in Table 3\n";
  return 0;
}

}  // namespace

Command make_annotate(CLI::App& app, Common& common) {
  auto o = std::make_shared<AnnotateOptions>();
  auto* c = app.add_subcommand("annotate", "Ratings by people: blinded sheets out, filled ones in");
  c->require_subcommand(1);
  auto* out = c->add_subcommand("export", "Draw replies and write sheets, a form and the key");
  out->add_option("results", o->out.results, "the results folder with the replies")->required();
  out->add_option("--out", o->out.out, "folder of the sheets")->required();
  auto* names = out->add_option("--raters", o->out.raters, "their names, separated by commas")
                    ->delimiter(',');
  out->add_option("--rater-count", o->count, "so many raters named r1, r2, …")
      ->check(CLI::Range(1, 999))
      ->excludes(names);
  out->add_option("--methods", o->out.methods,
                  "fsm or sft/fsm, separated by commas (default: all that have replies)")
      ->delimiter(',');
  out->add_option("--run", o->out.runs,
                  "the run whose replies are taken where several runs have a method's, as the "
                  "report names it; separated by commas for several methods")
      ->delimiter(',');
  out->add_flag("!--no-human", o->out.human, "leave out the corpus's own replies");
  out->add_option("--corpus", o->out.corpus, "esconv, empathetic, …")->capture_default_str();
  out->add_option("--decisions", o->out.decisions, "how many decisions are drawn")
      ->capture_default_str();
  out->add_option("--per-decision", o->out.raters_per_decision, "how many raters rate each")
      ->capture_default_str();
  out->add_option("--seed", o->out.seed, "of the draw, the order and the codes")
      ->capture_default_str();
  auto* in = c->add_subcommand("import", "Check filled sheets and write human/<method>.jsonl");
  in->add_option("key", o->in.key, "key.json of the export")->required();
  in->add_option("sheets", o->in.sheets, "filled sheets, a CSV file a rater")->required();
  in->add_option("--results", o->in.results, "the results folder of the export")->required();
  in->add_flag("--replace", o->in.replace, "write ratings anew that are there already");
  c->footer(
      "Examples:\n  straq annotate export results --out rating --rater-count 3 --decisions 40\n"
      "  straq annotate import rating/key.json r1.csv r2.csv r3.csv --results results");
  return {c, [=, &common] {
            return out->parsed() ? export_sheets(*o, common) : import_sheets(*o, common);
          }};
}

}  // namespace straq::jobs
