#include "report/latex/latex_layout.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace straq::report {
namespace {

// Text columns wider than this may be broken, and then are at least that wide.
constexpr double kBroken = 120, kNarrowest = 70;

// Advance of an ASCII character at 10 points.
double advance(unsigned char c) {
  constexpr std::string_view kNarrow = "ijl.,:;!'|`", kSlim = "ftrs()[]/- I";
  constexpr std::string_view kWide = "mwMW%@&";
  if (kNarrow.find(static_cast<char>(c)) != std::string_view::npos) return 2.8;
  if (kSlim.find(static_cast<char>(c)) != std::string_view::npos) return 4.0;
  if (kWide.find(static_cast<char>(c)) != std::string_view::npos) return 9.2;
  if (c >= 'A' && c <= 'Z') return 7.5;
  if (c >= '0' && c <= '9') return 5.0;
  return c >= 'a' && c <= 'z' ? 5.4 : 7.8;
}

class LayoutSearch {
 public:
  explicit LayoutSearch(std::vector<LatexColumn> columns) : columns_(std::move(columns)) {
    // Leading columns of text say what a row is.
    while (lead_ < columns_.size() && !columns_[lead_].right) ++lead_;
    if (lead_ == columns_.size()) lead_ = 1;
  }

  LatexLayout find() {
    struct Way {
      bool wide;
      int type;
    };
    constexpr std::array<Way, 6> kWays = {
        {{false, 9}, {false, 8}, {true, 9}, {true, 8}, {false, kLeastType}, {true, kLeastType}}};
    std::vector<std::size_t> all(columns_.size());
    for (std::size_t c = 0; c < all.size(); ++c) all[c] = c;
    for (const Way& way : kWays) {
      if (fits(all, way.wide ? kLatexPage : kLatexColumn, way.type)) {
        return {way.wide, way.type, columns_, {all}};
      }
    }
    return in_parts();
  }

 private:
  // Whether the columns fit; gives broken ones their widths.
  bool fits(const std::vector<std::size_t>& columns, double limit, int type) {
    const double scale = type / 10.0;
    double fixed = 0, wanted = 0, least = 0;
    for (const std::size_t c : columns) {
      fixed += 2 * kLatexGap;
      (columns_[c].broken ? wanted : fixed) += scale * columns_[c].width;
      if (columns_[c].broken) least += kNarrowest;
    }
    if (least == 0) return fixed <= limit;
    // A column of the page is no place for several broken texts.
    if (limit - fixed < least || (limit < kLatexPage && limit - fixed < 0.6 * wanted)) return false;
    const double share = std::min(1.0, (limit - fixed) / wanted);
    double over = 0, free = 0;
    for (const std::size_t c : columns) {
      LatexColumn& column = columns_[c];
      if (!column.broken) continue;
      column.set = std::max(kNarrowest, share * scale * column.width);
      over += column.set;
      free += column.set - kNarrowest;
    }
    // What the narrowest were given comes from the others.
    const double excess = over - (limit - fixed);
    for (const std::size_t c : columns) {
      LatexColumn& column = columns_[c];
      if (column.broken && excess > 0 && free > 0) {
        column.set -= excess * (column.set - kNarrowest) / free;
      }
    }
    return true;
  }

  // Points of columns whose broken ones have their widths.
  double set_width(const std::vector<std::size_t>& columns, int type) const {
    double out = 0;
    for (const std::size_t c : columns) {
      out +=
          2 * kLatexGap + (columns_[c].broken ? columns_[c].set : columns_[c].width * type / 10.0);
    }
    return out;
  }

  LatexLayout in_parts() {
    constexpr int kType = 8;
    constexpr double kLead = 100;  // of a broken column
    LatexLayout out;
    out.wide = true;
    out.type = kType;
    std::vector<std::size_t> lead(lead_);
    for (std::size_t c = 0; c < lead_; ++c) lead[c] = c;
    const bool broad = set_width(lead, kType) > kLatexPage / 2;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      LatexColumn& column = columns_[c];
      const bool of_lead = c < lead_ && broad && column.width * kType / 10 > kNarrowest;
      if (of_lead) column.broken = true;
      if (column.broken) column.set = of_lead ? kNarrowest : kLead;
    }
    std::vector<std::size_t> part = lead;
    for (std::size_t c = lead_; c < columns_.size(); ++c) {
      part.push_back(c);
      if (part.size() == lead.size() + 1 || set_width(part, kType) <= kLatexPage) continue;
      part.pop_back();
      out.parts.push_back(part);
      part = lead;
      part.push_back(c);
    }
    if (part.size() > lead.size()) out.parts.push_back(part);
    out.columns = columns_;
    return out;
  }

  std::vector<LatexColumn> columns_;
  std::size_t lead_ = 0;
};

}  // namespace

double latex_width(const std::string& text) {
  double out = 0;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x80) {
      out += advance(u);
    } else if ((u & 0xC0) != 0x80) {
      out += 7.8;  // a sign of several bytes: ±, ≈, an arrow
    }
  }
  return out;
}

std::vector<std::string> heading_lines(const std::string& heading, double width) {
  std::vector<std::string> words(1);
  for (const char c : heading) {
    if (c == ' ') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  double widest = width;
  for (const auto& word : words) widest = std::max(widest, latex_width(word));
  std::vector<std::string> lines;
  for (const auto& word : words) {
    // Signs stay with the word before them.
    const bool sign = !word.empty() && static_cast<unsigned char>(word[0]) >= 0x80;
    if (!lines.empty() && (sign || latex_width(lines.back() + " " + word) <= widest)) {
      lines.back() += " " + word;
    } else {
      lines.push_back(word);
    }
  }
  return lines;
}

LatexLayout latex_layout(const Table& table, const std::vector<std::vector<std::string>>& texts,
                         const std::vector<std::vector<std::string>>& heads) {
  std::vector<LatexColumn> columns(table.columns.size());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    LatexColumn& column = columns[c];
    for (std::size_t r = 0; r < texts.size(); ++r) {
      column.right = column.right || table.rows[r][c].numeric;
      column.width = std::max(column.width, latex_width(texts[r][c]));
    }
    column.broken = !column.right && column.width > kBroken;
    for (const auto& line : heads[c]) column.width = std::max(column.width, latex_width(line));
  }
  return LayoutSearch(std::move(columns)).find();
}

}  // namespace straq::report
