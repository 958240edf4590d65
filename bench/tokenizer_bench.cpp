// Tokens per second of one core: encodes all texts of a file, several rounds, and prints the
// processor time of each. The first round starts with an empty memory of pieces, as a preprocessor
// does. bench/peer/tokenizer_peer.py runs it beside the Python references.
#include <time.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "text/tokenizer.h"

namespace {

// Processor time of this thread: other work on the machine does not count.
double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Encodes a file of JSON strings, one a line, and prints tokens and seconds as JSON."};
  std::string tokenizer_path, texts_path;
  int rounds = 5;
  app.add_option("--tokenizer", tokenizer_path, "tokenizer file or folder")->required();
  app.add_option("--texts", texts_path, "a JSON string a line")->required();
  app.add_option("--rounds", rounds, "rounds over all texts")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  try {
    double start = cpu_seconds();
    const auto tokenizer = straq::text::open_tokenizer(tokenizer_path);
    const double opening = cpu_seconds() - start;
    std::vector<std::string> texts;
    std::ifstream file(texts_path);
    for (std::string line; std::getline(file, line);) {
      texts.push_back(nlohmann::json::parse(line).get<std::string>());
    }
    nlohmann::ordered_json out = {{"texts", texts.size()}, {"open_seconds", opening}};
    std::size_t tokens = 0, bytes = 0;
    std::vector<double> seconds;
    for (int r = 0; r < rounds; ++r) {
      tokens = bytes = 0;
      start = cpu_seconds();
      for (const auto& text : texts) {
        tokens += tokenizer->encode(text).size();
        bytes += text.size();
      }
      seconds.push_back(cpu_seconds() - start);
    }
    out["bytes"] = bytes;
    out["tokens"] = tokens;
    out["seconds"] = seconds;
    std::cout << out.dump() << "\n";
    return 0;
  } catch (const straq::Error& e) {
    std::cerr << e.full() << "\n";
    return e.exit_code();
  }
}
