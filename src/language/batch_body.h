// A batch file's request, as any program may have written it, as a Request. Every key of its body
// is either understood, known to change nothing, or refused by name: a reply must not be that to
// another question.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "language/batch.h"

namespace straq::language {

// Throws Error(input) about `where` ("file:line").
BatchRequest read_batch_request(const nlohmann::ordered_json& line, const std::string& where,
                                std::int64_t chat_tokens);

}  // namespace straq::language
