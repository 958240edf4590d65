// What the files beside a tokenizer's own file say about it: tokens that were added to it, which
// tokens are special, and whether texts begin with BOS. transformers keeps these things in
// tokenizer_config.json, special_tokens_map.json and added_tokens.json, and whoever fine-tunes a
// model changes them there and nowhere else, so a tokenizer without them is another tokenizer.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "text/tokenizer.h"
#include "text/tokenizers/added_tokens.h"

namespace straq::text {

struct Beside {
  // A token by its role: not named at all, named as none (null), or by its text.
  struct Role {
    bool named = false;
    std::string text;
    std::string where;  // the file and the key, for errors
  };
  struct Added {
    AddedToken token;
    bool has_flags = false;  // lstrip and the like are known (tokenizer_config.json has them)
    std::string where;
  };
  Role bos, eos;
  std::optional<bool> add_bos, add_prefix_space;
  std::string config;           // the path of tokenizer_config.json; empty: none
  std::string tokenizer_class;  // its "tokenizer_class"
  std::vector<Added> added;     // by id
  // Special by name, and the place that says so where the name must have an id.
  std::map<std::string, std::string> special_names;
  std::optional<TokenId> generation_bos;  // generation_config.json's bos_token_id
  std::string generation;                 // the path of that file
};

// Reads those of the files that are in `folder`. Throws Error(input) naming the file for one that
// is no JSON object of the kind, for two that contradict each other, and for what would change ids
// and is not supported.
Beside read_beside(const std::string& folder);

// What `config`, the text of a tokenizer_config.json, says by itself; `path` is the file that holds
// it.
Beside beside_of_config(const std::string& path, const std::string& config);

// The names of files that read_beside() reads.
const std::vector<std::string>& names_beside();

// The words of an added token for errors: refuses what TokenFinder can't do.
void require_supported(const AddedToken& token, const std::string& where);

// How texts of the model begin.
struct Conventions {
  std::optional<TokenId> bos, eos;
  bool adds_bos = false;
};

// `own` is what the tokenizer's own file says. With `fixed` it puts that token before every text by
// itself, so that a bos_token of null takes nothing away: only add_bos_token can. `id_of` finds
// tokens by text, ids are below `vocab`.
// Throws Error(input) for a named token that is none, and where BOS is to be added and there is
// none.
Conventions settle(const Beside& beside, const Conventions& own, bool fixed,
                   const std::function<std::optional<TokenId>(const std::string&)>& id_of,
                   TokenId vocab);

// First of the usual names that `specials` holds: beginning and end of text.
std::optional<TokenId> usual_bos(const std::map<std::string, TokenId, std::less<>>& specials);
std::optional<TokenId> usual_eos(const std::map<std::string, TokenId, std::less<>>& specials);

// "<kind>:<hash>": the hash of the tokenizer's own bytes when the files beside it change nothing
// (`facts` equal `own_facts`), else one over that hash and the facts.
std::string fingerprint_of(const std::string& kind, const std::string& hash,
                           const std::string& own_facts, const std::string& facts);
// All that the files beside can change, as text for fingerprint_of().
std::string facts_of(const Conventions& conventions, const std::vector<AddedToken>& added);

}  // namespace straq::text
