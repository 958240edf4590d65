#include "text/tokenizers/added_tokens.h"

#include <algorithm>

#include "text/unicode.h"

namespace straq::text {
namespace {

unsigned char first_byte(std::string_view text) {
  return static_cast<unsigned char>(text.front());
}

// Where the white space at the end of text[0, end) begins.
std::size_t blanks_before(std::string_view text, std::size_t end) {
  while (end > 0) {
    std::size_t at = end - 1;
    while (at > 0 && (first_byte(text.substr(at)) & 0xC0) == 0x80) --at;
    if (!is_space(char_classes()[utf8_character(text.data() + at).code])) break;
    end = at;
  }
  return end;
}

// Where the white space that begins at `begin` ends.
std::size_t blanks_after(std::string_view text, std::size_t begin) {
  while (begin < text.size()) {
    const Character d = utf8_character(text.data() + begin);
    if (!is_space(char_classes()[d.code])) break;
    begin += d.bytes;
  }
  return begin;
}

}  // namespace

void TokenFinder::add(std::string text, const AddedToken& token) {
  if (text.empty()) return;
  starts_[first_byte(text)] = true;
  const auto place = std::find_if(tokens_.begin(), tokens_.end(), [&](const Entry& e) {
    return first_byte(e.text) > first_byte(text) ||
           (first_byte(e.text) == first_byte(text) && e.text.size() < text.size());
  });
  tokens_.insert(place, {std::move(text), token.id, token.lstrip, token.rstrip});
}

void TokenFinder::find(std::string_view text,
                       const std::function<void(std::string_view, TokenId)>& each) const {
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size();) {
    const Entry* found = nullptr;
    if (starts_[first_byte(text.substr(i))]) {
      auto entry = std::lower_bound(
          tokens_.begin(), tokens_.end(), first_byte(text.substr(i)),
          [](const Entry& e, unsigned char byte) { return first_byte(e.text) < byte; });
      for (; entry != tokens_.end() && entry->text.front() == text[i]; ++entry) {
        if (text.compare(i, entry->text.size(), entry->text) != 0) continue;
        found = &*entry;
        break;
      }
    }
    if (found == nullptr) {
      ++i;
      continue;
    }
    // A token before may have taken the white space already; one that was nothing else is gone.
    const std::size_t begin = found->lstrip ? std::max(blanks_before(text, i), done) : i;
    i += found->text.size();
    const std::size_t end = found->rstrip ? blanks_after(text, i) : i;
    if (end <= begin) continue;
    if (done < begin) each(text.substr(done, begin - done), -1);
    each(found->text, found->id);
    done = end;
  }
  if (done < text.size()) each(text.substr(done), -1);
}

}  // namespace straq::text
