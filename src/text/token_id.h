// The one type of token ids: in tokenizers, combs, shards and batches.
#pragma once

#include <cstdint>

namespace straq::text {

using TokenId = std::int32_t;

}  // namespace straq::text
