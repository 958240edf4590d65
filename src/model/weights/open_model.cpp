#include "model/weights/open_model.h"

#include "core/files/gguf_file.h"
#include "model/weights/gguf.h"
#include "model/weights/huggingface.h"

namespace straq::model {

ModelHead read_model_head(const std::string& path) {
  if (is_gguf_file(path)) return {read_gguf_shape(GgufFile(path)), at::kFloat};
  const auto config = read_huggingface_config(path);
  return {config.shape, config.dtype};
}

WeightsSource open_model(const std::string& path) {
  return is_gguf_file(path) ? open_gguf(path) : open_huggingface(path);
}

}  // namespace straq::model
