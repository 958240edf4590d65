// The figures that a results folder gives no cause to draw, by name and with the reason: a reader
// who looks for the paper's Figure 5 should not have to guess why it is not there.
#include <algorithm>
#include <filesystem>
#include <set>

#include "report/figures/figures.h"
#include "report/rows/methods.h"
#include "results/run_folder.h"

namespace straq::report {
namespace {

// Whether any step of a run has something.
template <class Has>
auto steps_with(Has has) {
  return [has](const results::Run& r) { return std::any_of(r.steps.begin(), r.steps.end(), has); };
}

class Missing {
 public:
  Missing(const results::Results& results, const std::vector<Figure>& figures)
      : results_(results), figures_(figures) {}
  std::vector<std::string> list;

  void run() {
    const auto loss = [](const results::Step& s) { return s.loss.has_value(); };
    per_run("Figure 3 (paper), loss", "loss-", steps_with(loss),
            "no run has a metrics.jsonl with losses");
    series("TD error", [](const results::Step& s) { return s.td_abs.has_value(); });
    series("drift of max Q", [](const results::Step& s) { return s.max_q.has_value(); });
    series("gradient norm", [](const results::Step& s) { return s.grad_norm.has_value(); });
    const auto evaluated = [](const results::Run& r) {
      return r.evaluation && !r.evaluation->splits.empty();
    };
    for (const auto& [name, kind] :
         {std::pair("confusion", "confusion-"), std::pair("transitions", "transition-")}) {
      per_run(std::string("Figure 4 (paper), ") + name, kind, evaluated,
              "no run has an evaluation.json that can be read");
    }
    sensitivity("discount (γ)", {"learn.gamma"});
    sensitivity("model size", {"model.shape", "model.from"});
    const auto predicted = [](const results::Run& r) {
      std::error_code ec;
      return !r.path.empty() && r.evaluation &&
             std::filesystem::exists(results::RunFolder(r.path).predictions("test"), ec);
    };
    for (const auto& [name, kind] : {std::pair("Q against the return", "calibration-"),
                                     std::pair("strategies by progress", "stages-"),
                                     std::pair("reliability of each choice", "reliability-")}) {
      per_run(name, kind, predicted, "no evaluated run has a predictions/test.jsonl");
    }
    const auto timed = [](const results::Step& s) { return s.seconds.has_value(); };
    per_run("learning throughput", "throughput-", steps_with(timed), "no run has a timings.jsonl");
  }

 private:
  bool any(const std::string& kind) const {
    return std::any_of(figures_.begin(), figures_.end(),
                       [&](const Figure& f) { return f.id.rfind(kind, 0) == 0; });
  }

  // Why a figure is not there although a run has what it needs.
  template <class Has>
  std::string why(Has has, const std::string& otherwise) const {
    const auto runs = results_.runs();
    if (std::none_of(runs.begin(), runs.end(), [&](const results::Run* r) { return has(*r); })) {
      return otherwise;
    }
    std::set<const results::Run*> drawn;
    for (const Figure& f : figures_) drawn.insert(f.run);
    const bool could = std::any_of(runs.begin(), runs.end(), [&](const results::Run* r) {
      return has(*r) && drawn.count(r) > 0;
    });
    return could ? "what the runs have of it cannot be drawn (too little, or unreadable)"
                 : "only runs whose own figures are not drawn have it (--run-figures)";
  }

  template <class Has>
  void per_run(const std::string& name, const std::string& kind, Has has,
               const std::string& otherwise) {
    if (!any(kind)) list.push_back(name + ": " + why(has, otherwise) + ".");
  }

  // One panel of the training figure.
  template <class Has>
  void series(const std::string& name, Has has) {
    const auto with = steps_with(has);
    const bool drawn = std::any_of(figures_.begin(), figures_.end(), [&](const Figure& f) {
      return f.id.rfind("training-", 0) == 0 && f.run != nullptr && with(*f.run);
    });
    if (drawn) return;
    list.push_back("Figure 3 (paper), " + name + ": " +
                   why(with, "no run has a metrics.jsonl with it") + ".");
  }

  void sensitivity(const std::string& name, const std::vector<std::string>& parameters) {
    std::string keys;
    bool drawn = false, replies = false, planned = false;
    for (const auto& p : parameters) {
      keys += (keys.empty() ? "" : " or ") + p;
      const std::string kind = slug("sensitivity-" + short_key(p) + "-");
      for (const Figure& f : figures_) {
        if (f.run != nullptr || f.id.rfind(kind, 0) != 0) continue;
        drawn = true;
        replies = replies || f.data.find(" reply_seeds ") != std::string::npos;
      }
      for (const auto& e : results_.experiments) {
        std::set<std::string> values;
        for (const results::Run& r : e.runs) {
          const auto value = r.parameter(p);
          if (value && !value->empty()) values.insert(*value);
        }
        planned = planned || values.size() > 1;
      }
    }
    const std::string figure = "Figure 5 (paper), sensitivity to " + name;
    if (!drawn) {
      list.push_back(
          figure + ": " +
          (planned ? "fewer than two values of " + keys + " are evaluated in an experiment."
                   : "there is no sweep over it, an experiment with two values of " + keys + "."));
    } else if (!replies) {
      list.push_back(figure +
                     ", B-2 and R-L: no run of the sweep has replies of its own planner "
                     "(responses/) to the test split.");
    }
  }

  const results::Results& results_;
  const std::vector<Figure>& figures_;
};

}  // namespace

std::vector<std::string> missing_figures(const results::Results& results,
                                         const std::vector<Figure>& figures) {
  Missing missing(results, figures);
  missing.run();
  return missing.list;
}

}  // namespace straq::report
