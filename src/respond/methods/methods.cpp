#include "respond/methods/methods.h"

#include <array>

#include "config/fields.h"
#include "core/error.h"

namespace straq::respond {
namespace {

constexpr std::array kMethods = {
    MethodEntry{"direct", "direct.yaml", false, &open_direct},
    MethodEntry{"direct_refine", "direct_refine.yaml", false, &open_direct_refine},
    MethodEntry{"self_refine", "self_refine.yaml", false, &open_self_refine},
    MethodEntry{"cot", "cot.yaml", false, &open_cot},
    MethodEntry{"fsm", "fsm.yaml", false, &open_fsm},
    MethodEntry{"straq", "straq.yaml", true, &open_planned},
};

}  // namespace

std::span<const MethodEntry> method_entries() {
  return kMethods;
}

const MethodEntry& method_entry(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& entry : kMethods) {
    if (name == entry.name) return entry;
    names.emplace_back(entry.name);
  }
  const std::string near = config::nearest(name, names);
  std::string known;
  for (const auto& n : names) known += (known.empty() ? "" : ", ") + n;
  fail_input("there is no method \"" + name + "\"",
             near.empty() ? "choose of: " + known : "did you mean " + near + "?");
}

}  // namespace straq::respond
