#include "results/rows/evaluation.h"

#include "core/files/files.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "results/layout.h"

namespace straq::results {

metrics::Evaluation read_evaluation(const std::string& path) {
  const std::string hint = hint_of(FileKind::evaluation);
  return read_json<metrics::Evaluation>(read_json_of(path, hint), {path, hint});
}

void write_evaluation(const std::string& path, const metrics::Evaluation& evaluation) {
  write_file_atomic(path, dump_json(evaluation.to_json(), 1) + "\n");
}

}  // namespace straq::results
