#include "report/figures/figures.h"

#include <cctype>
#include <set>

#include "report/figures/figure_style.h"

namespace straq::report {

std::string slug(const std::string& text) {
  std::string out;
  for (char c : text) {
    const auto u = static_cast<unsigned char>(c);
    const bool plain = u < 0x80 && (std::isalnum(u) || c == '-' || c == '_' || c == '.');
    if (plain) {
      out += c;
    } else if (out.empty() || out.back() != '-') {
      out += '-';
    }
  }
  if (out.empty() || out[0] == '.') out.insert(0, "x");
  if (out.size() > 120) out.resize(120);
  return out;
}

void make_ids_unique(std::vector<Figure>& figures) {
  std::set<std::string> seen;
  for (Figure& f : figures) {
    std::string id = f.id;
    for (int n = 2; !seen.insert(id).second; ++n) id = f.id + "-" + std::to_string(n);
    if (id == f.id) continue;
    // The script names its own files.
    for (const std::string ending : {".dat'", ".'", "-column.pdf'", ".gp\n"}) {
      for (std::size_t at = 0; (at = f.script.find(f.id + ending, at)) != std::string::npos;
           at += id.size()) {
        f.script.replace(at, f.id.size(), id);
      }
    }
    f.id = id;
  }
}

Figure start_figure(const results::Run& run, const std::string& kind, const std::string& split,
                    const std::string& title) {
  Figure f;
  f.id = slug(kind + "-" + run.name() + (split.empty() ? "" : "-" + split));
  f.title = one_line(run.name() + (split.empty() ? "" : ", " + split) + ": " + title);
  f.run = &run;
  f.shows = {kind};
  return f;
}

}  // namespace straq::report
