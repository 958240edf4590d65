// straq generate: replies to many prompts, from local weights or a server.
#include <ATen/Parallel.h>
#include <sys/resource.h>

#include <memory>

#include "command.h"
#include "core/environment.h"
#include "core/files/files.h"
#include "core/log.h"
#include "core/processors.h"
#include "language/batch.h"
#include "language_options.h"
#include "local/open_source.h"
#include "train/learner_group.h"

namespace straq::jobs {
namespace {

struct GenerateOptions {
  std::string prompts, out, config, record;
  local::LocalConfig model;
  language::ServerConfig server;
  std::int64_t chat_tokens = 256;
  int threads = 0;
  bool overwrite = false;
};

local::SourceConfig source_of(const GenerateOptions& o) {
  local::SourceConfig source;
  if (!o.config.empty()) source = config::read<local::SourceConfig>(config::load_config(o.config));
  if (!o.model.model.empty()) source.local = o.model;
  if (!o.server.url.empty()) source.server = o.server;
  if (!o.record.empty()) source.record = o.record;
  return source;
}

// A writer that was killed leaves the beginning of a line, which nothing may follow.
void drop_torn_line(const std::string& path) {
  const std::string text = read_file(path);
  const auto end = text.rfind('\n');
  const auto whole = end == std::string::npos ? std::size_t{0} : end + 1;
  if (whole < text.size()) std::filesystem::resize_file(path, whole);
}

struct ReplyCounts {
  std::int64_t done = 0, failed = 0, recorded = 0, prompt_tokens = 0, reply_tokens = 0;
};

nlohmann::ordered_json summary_of(const language::Source& source, const ReplyCounts& n,
                                  double seconds) {
  nlohmann::ordered_json out{{"source", source.name()},
                             {"replies", n.done},
                             {"failed", n.failed},
                             {"recorded", n.recorded},
                             {"prompt_tokens", n.prompt_tokens},
                             {"reply_tokens", n.reply_tokens},
                             {"seconds", seconds}};
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    out["peak_rss_bytes"] = static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
  }
  if (const auto* local = dynamic_cast<const local::LocalModel*>(&source)) {
    const auto& t = local->totals();
    out["prompt_tokens_computed"] = t.prompt_computed;
    out["passes"] = t.passes;
    out["forward_seconds"] = t.forward_seconds;
    out["logits_seconds"] = t.logits_seconds;
    out["sample_seconds"] = t.sample_seconds;
    out["cache_pages"] = t.cache_pages;
  }
  return out;
}

int generate(const GenerateOptions& o, const Common& common) {
  at::set_num_threads(compute_threads(o.threads));
  const auto read = language::read_batch_requests(o.prompts, o.chat_tokens);
  std::vector<language::Request> requests, open;
  for (const auto& r : read) requests.push_back(r.request);
  // A file with replies is gone on with: what it answers is not asked for again.
  if (!o.overwrite && std::filesystem::exists(o.out)) {
    const auto known = language::read_batch_replies(o.out, requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const auto& reply = known.replies[i];
      if (!reply || reply->finish == language::Finish::failed) open.push_back(requests[i]);
    }
    drop_torn_line(o.out);
    log::info("generate", "{} has {} of {} replies", o.out, requests.size() - open.size(),
              requests.size());
  } else {
    open = std::move(requests);
  }
  const auto source = local::open_source(source_of(o));
  LineWriter out(o.out, /*append=*/!o.overwrite);
  ReplyCounts n;
  const double start = monotonic_seconds();
  const auto seconds = [&] { return monotonic_seconds() - start; };
  double said = 0;
  source->answer(open, [&](std::size_t i, const language::Reply& reply) {
    language::write_batch_reply(out, open[i], reply);
    ++n.done;
    n.failed += reply.finish == language::Finish::failed;
    n.recorded += reply.recorded;
    n.prompt_tokens += reply.prompt_tokens;
    n.reply_tokens += reply.reply_tokens;
    constexpr double pause = 10;
    if (const double now = seconds(); now - said > pause) {
      said = now;
      const double left = now / static_cast<double>(n.done) *
                          static_cast<double>(static_cast<std::int64_t>(open.size()) - n.done);
      log::info("generate", "{} of {} replies, about {:.0f} s left", n.done, open.size(), left);
    }
  });
  const auto summary = summary_of(*source, n, seconds());
  if (common.json()) {
    print_json(summary);
  } else {
    Table table{"generated", "Replies in " + o.out, {"what", "value"}, {}, {}};
    for (const auto& [key, value] : summary.items()) {
      table.add({Cell(key), value.is_string()         ? Cell(value.get<std::string>())
                            : value.is_number_float() ? Cell::real(value.get<double>(), 2)
                                                      : Cell(value.get<std::int64_t>())});
    }
    print_tables(common, {table});
  }
  return n.failed > 0 ? 1 : 0;
}

}  // namespace

Command make_generate(CLI::App& app, Common& common) {
  auto o = std::make_shared<GenerateOptions>();
  auto* c = app.add_subcommand("generate", "replies to a file of prompts, in bulk");
  c->add_option("--prompts", o->prompts, "requests, one JSON object a line (batch file)")
      ->required();
  c->add_option("--out", o->out, "file of replies; one that is there is gone on with")->required();
  c->add_flag("--overwrite", o->overwrite, "begin the file of replies anew");
  c->add_option("--source", o->config, "a config that names the source: local, server or replay");
  add_model_options(*c, o->model);
  c->add_option("--url", o->server.url, "a server instead of local weights");
  c->add_option("--server-model", o->server.model, "as the server calls it");
  c->add_option("--record", o->record, "a folder where replies are kept and looked up");
  c->add_option("--chat-tokens", o->chat_tokens, "most tokens of a reply where a chat names none")
      ->check(CLI::PositiveNumber);
  c->add_option("--pass-tokens", o->model.pass_tokens, "of a forward pass, local weights")
      ->check(CLI::PositiveNumber);
  c->add_option("--running", o->model.running, "texts written at once, local weights")
      ->check(CLI::PositiveNumber);
  c->add_option("--threads", o->threads, "0: a core each")->check(CLI::NonNegativeNumber);
  c->footer(
      "A prompt is {\"custom_id\": \"a\", \"method\": \"POST\", \"url\": \"/v1/chat/completions\", "
      "\"body\": {\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}], \"max_tokens\": "
      "40}}.\nThe exit code is 1 where a reply failed; run it again to try those.\n"
      "Example: straq generate --prompts requests.jsonl --out replies.jsonl --model "
      "models/SmolLM2-135M-Instruct.Q4_1.gguf");
  return {c, [=, &common] { return generate(*o, common); }};
}

}  // namespace straq::jobs
