// Options that commands with a language model have in common.
#pragma once

#include <CLI/CLI.hpp>

#include "language/source.h"
#include "local/local_model.h"

namespace straq::jobs {

void add_model_options(CLI::App& app, local::LocalConfig& model);
void add_sampling_options(CLI::App& app, language::Sampling& sampling);

}  // namespace straq::jobs
