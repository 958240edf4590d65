// straq tokenizer: train one on plain text, encode lines, say what a tokenizer is.
#include <algorithm>
#include <iostream>
#include <memory>

#include "command.h"
#include "config/choices.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/json/json.h"
#include "text/model_chat_template.h"
#include "text/tokenizer_config.h"

namespace straq::jobs {
namespace {

struct TokenizerOptions {
  text::TrainOptions train;
  std::string kind = "byte_bpe", split = "llama3", model = "bpe", out, path, input = "text";
  std::vector<std::string> files;
  bool whole = false;
};

std::string value_or_none(std::optional<text::TokenId> id) {
  return id ? std::to_string(*id) : "none";
}

// What a tokenizer is, as a table.
Table describe(const std::string& path, const text::Tokenizer& tokenizer) {
  Table table{"tokenizer", "Tokenizer", {"what", "value"}, {}, {}};
  table.add({"path", path});
  table.add({"fingerprint", tokenizer.fingerprint()});
  table.add({"tokens", tokenizer.vocab_size()});
  table.add({"beginning of text", value_or_none(tokenizer.bos())});
  table.add({"end of text", value_or_none(tokenizer.eos())});
  table.add({"texts begin with it", tokenizer.bos() && tokenizer.adds_bos() ? "yes" : "no"});
  return table;
}

int train(TokenizerOptions& o, const Common& common) {
  using namespace text;
  o.train.kind = config::value_of(kTokenizerKinds, o.kind);
  o.train.split = config::value_of(kSplitStyles, o.split);
  o.train.model = config::value_of(kPieceModels, o.model);
  std::vector<std::string> texts;
  for (const auto& file : o.files) {
    const std::string all = read_file(file);
    for (std::size_t begin = 0; begin < all.size();) {
      const std::size_t end = std::min(all.find('\n', begin), all.size());
      if (end > begin) texts.push_back(all.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  TokenizerConfig config;
  config.train = o.train;
  const std::string path = prepare_tokenizer(config, texts, o.out);
  print_tables(common, {describe(path, *open_tokenizer(path))});
  return 0;
}

// A line of standard input as JSON; the hint says what it should have been.
nlohmann::json json_line(const std::string& line, long number, const char* hint) {
  nlohmann::json json;
  const std::string reason = try_parse_json(line, json);
  if (!reason.empty()) fail_input(at_line("standard input", number, reason), hint);
  return json;
}

// One line in, one line out, so that a program can talk to it through pipes.
template <class F>
int ids_of_lines(const Common& common, F&& ids_of) {
  std::ios::sync_with_stdio(false);
  std::string line, out;
  for (long number = 1; std::getline(std::cin, line); ++number) {
    std::vector<text::TokenId> ids;
    try {
      ids = ids_of(line, number);
    } catch (const Error& e) {
      const std::string what = e.what();
      throw Error(
          e.kind(),
          what.starts_with("standard input:") ? what : at_line("standard input", number, what),
          e.hint());
    }
    out.clear();
    if (common.json()) out += '[';
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i) out += common.json() ? ',' : ' ';
      out += std::to_string(ids[i]);
    }
    if (common.json()) out += ']';
    out += '\n';
    std::cout << out;
  }
  std::cout.flush();
  if (!std::cout) fail_runtime("standard output could not be written");
  return 0;
}

int encode(const TokenizerOptions& o, const Common& common) {
  const auto tokenizer = text::open_tokenizer(o.path);
  return ids_of_lines(common, [&](const std::string& line, long number) {
    if (o.input != "json") return tokenizer->encode(line);
    constexpr const char* hint = "with --input json each line is a text in quotes";
    const auto json = json_line(line, number, hint);
    if (!json.is_string()) {
      fail_input(at_line("standard input", number, "not a JSON string"), hint);
    }
    return tokenizer->encode(json.get<std::string>());
  });
}

int chat(const TokenizerOptions& o, const Common& common) {
  const auto tokenizer = text::open_tokenizer(o.path);
  const auto format = text::chat_format_of_model(o.path);
  if (!format) {
    fail_input(o.path + ": the model has no chat template",
               "name a model that was trained on chats");
  }
  return ids_of_lines(common, [&](const std::string& line, long number) {
    constexpr const char* hint = "each line is a list of {\"role\": …, \"content\": …}";
    const auto json = json_line(line, number, hint);
    std::vector<text::ChatMessage> messages;
    const auto wrong = [&](const nlohmann::json& m) {
      return !m.is_object() || !m.contains("role") || !m["role"].is_string() ||
             !m.contains("content") || !m["content"].is_string();
    };
    if (!json.is_array() || json.empty() || std::any_of(json.begin(), json.end(), wrong)) {
      fail_input(at_line("standard input", number, "not a list of messages"), hint);
    }
    for (const auto& m : json) {
      messages.push_back({m["role"].get<std::string>(), m["content"].get<std::string>()});
    }
    return text::encode_pieces(*tokenizer, text::render_chat(*format, messages, !o.whole));
  });
}

}  // namespace

Command make_tokenizer(CLI::App& app, Common& common) {
  auto o = std::make_shared<TokenizerOptions>();
  CLI::App* cmd = app.add_subcommand("tokenizer", "train, use and inspect tokenizers");
  cmd->require_subcommand(1);
  cmd->footer(
      "Examples:\n"
      "  straq tokenizer train --kind byte_bpe --vocab 4096 --out tokenizers train.txt\n"
      "  echo 'I feel better now.' | straq tokenizer encode tokenizers/…/tokenizer.json\n"
      "  straq tokenizer inspect llama3/tokenizer.model --format json");

  CLI::App* t = cmd->add_subcommand("train", "train on plain text, one sample a line");
  t->add_option("--kind", o->kind, "byte_bpe or sentencepiece")
      ->check(CLI::IsMember(config::words_of(text::kTokenizerKinds)));
  t->add_option("--vocab", o->train.vocab_size, "number of tokens, special ones included")
      ->check(CLI::Range(260, 1'000'000));
  t->add_option("--split", o->split, "byte_bpe: gpt2 or llama3 split pattern")
      ->check(CLI::IsMember(config::words_of(text::kSplitStyles)));
  t->add_option("--model", o->model, "sentencepiece: bpe or unigram")
      ->check(CLI::IsMember(config::words_of(text::kPieceModels)));
  t->add_option("--special", o->train.specials, "one more special token (repeatable)")
      ->allow_extra_args(false);
  t->add_option("--threads", o->train.threads, "threads of sentencepiece's trainer")
      ->check(CLI::PositiveNumber);
  t->add_option("--out", o->out, "folder for the result")->required();
  t->add_option("files", o->files, "text files")->required();
  t->footer("Example: straq tokenizer train --vocab 4096 --out tokenizers train.txt");

  CLI::App* e = cmd->add_subcommand("encode", "lines of standard input to token ids");
  e->add_option("path", o->path, "tokenizer file or folder")->required();
  e->add_option("--input", o->input, "text: each line is a text; json: each line is a JSON string")
      ->check(CLI::IsMember({"text", "json"}));
  e->footer("Example: echo 'I feel better now.' | straq tokenizer encode llama3/tokenizer.model");

  CLI::App* c = cmd->add_subcommand("chat", "chats as a model reads them, to token ids");
  c->add_option("path", o->path, "a model's folder or GGUF file")->required();
  c->add_flag("--whole", o->whole, "do not begin the assistant's reply at the end");
  c->footer(
      "Each line of standard input is a list of messages; special tokens come from the model's "
      "template alone.\n"
      "Example: echo '[{\"role\": \"user\", \"content\": \"Hello\"}]' | straq tokenizer chat "
      "models/SmolLM2-135M-Instruct.Q4_1.gguf");

  CLI::App* i = cmd->add_subcommand("inspect", "kind, size and fingerprint of a tokenizer");
  i->add_option("path", o->path, "tokenizer file or folder")->required();
  i->footer("Example: straq tokenizer inspect llama3/tokenizer.model");

  return {cmd, [=, &common] {
            if (t->parsed()) return train(*o, common);
            if (e->parsed()) return encode(*o, common);
            if (c->parsed()) return chat(*o, common);
            print_tables(common, {describe(o->path, *text::open_tokenizer(o->path))});
            return 0;
          }};
}

}  // namespace straq::jobs
