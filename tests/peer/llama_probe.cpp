// What the comparison with transformers asks of this program: the logits of a prompt and the
// gradients of its cross-entropy, as a safetensors file. A program of the tests and no command,
// because nobody else needs a gradient on disk.
//
//   llama_probe MODEL REQUEST.json OUT.safetensors
//
// MODEL: a Hugging Face folder or a GGUF file. REQUEST: {"ids": [...], "target": id} and, where
// only logits are wanted, "gradients": false. OUT: "logits" [ids, vocabulary], "loss", and for each
// parameter its gradient of -log softmax(logits of the last position)[target], all in fp32.
#include <ATen/ATen.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files/files.h"
#include "model/comb_batch.h"
#include "model/weights/open_model.h"
#include "model/weights/safetensors.h"

int main(int argc, char** argv) {
  using namespace straq;
  if (argc != 4) {
    std::cerr << "usage: llama_probe MODEL REQUEST.json OUT.safetensors\n";
    return 2;
  }
  try {
    const auto request = nlohmann::json::parse(read_file(argv[2]));
    const bool gradients = request.value("gradients", true);
    model::Llama llama =
        model::load_weights(model::open_model(argv[1]), at::kFloat, at::kCPU, gradients);
    prompt::Comb comb;
    comb.id = "request";
    comb.trunks.resize(1);
    comb.trunks[0].tokens = request.at("ids").get<std::vector<prompt::TokenId>>();
    const auto batch = model::pack({{&comb, {}, true}}, at::kCPU);
    const at::Tensor rows = at::arange(batch.rows, at::kLong);
    const at::Tensor logits = llama.logits(llama.hidden(batch, rows));
    const at::Tensor loss =
        -at::log_softmax(logits[batch.rows - 1], -1)[request.at("target").get<std::int64_t>()];
    std::vector<std::pair<std::string, at::Tensor>> out = {{"logits", logits.detach()},
                                                           {"loss", loss.detach()}};
    const auto& arena = llama.parameters();
    if (gradients) {
      llama.parameters().zero_grad();
      loss.backward();
    }
    for (std::size_t i = 0; gradients && i < arena.specs().size(); ++i) {
      const auto& spec = arena.specs()[i];
      const auto count = arena[spec.name].numel();
      out.emplace_back(spec.name,
                       arena.flat_grad().narrow(0, arena.offset(i), count).view(spec.shape));
    }
    model::write_safetensors(argv[3], out);
  } catch (const Error& e) {
    std::cerr << e.full() << "\n";
    return e.exit_code();
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
  return 0;
}
