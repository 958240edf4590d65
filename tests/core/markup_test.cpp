// Foreign text in Markdown stays text.
#include "core/tables/markup.h"

#include <gtest/gtest.h>

namespace straq {
namespace {

TEST(Markdown, LinksPicturesAndHtmlAreDefused) {
  EXPECT_EQ(escape_markdown("[x](javascript:alert)"), "\\[x\\](javascript:alert)");
  EXPECT_EQ(escape_markdown("![i](http://h/p.png)"), "\\!\\[i\\](http\\://h/p.png)");
  EXPECT_EQ(escape_markdown("[a][b]"), "\\[a\\]\\[b\\]");
  EXPECT_EQ(escape_markdown("[a]: http://h"), "\\[a\\]: http\\://h");
  EXPECT_EQ(escape_markdown("<img src=x onerror=y>"), "&lt;img src=x onerror=y>");
  EXPECT_EQ(escape_markdown("&lt;b>"), "&amp;lt;b>");
  EXPECT_EQ(escape_markdown("see www.h.example"), "see www\\.h.example");
}

TEST(Markdown, CodeEmphasisAndBarsAreDefused) {
  EXPECT_EQ(escape_markdown("a `b` *c* _d_ ~~e~~ | f \\| g $h$"),
            "a \\`b\\` \\*c\\* \\_d\\_ \\~\\~e\\~\\~ \\| f \\\\\\| g \\$h\\$");
  EXPECT_EQ(escape_markdown("two\nlines\r\x07"), "two lines  ");
}

TEST(Markdown, NothingBeginsABlock) {
  EXPECT_EQ(escape_markdown("# head"), "\\# head");
  EXPECT_EQ(escape_markdown("> said"), "\\> said");
  EXPECT_EQ(escape_markdown("- item"), "\\- item");
  EXPECT_EQ(escape_markdown("---"), "\\---");
  EXPECT_EQ(escape_markdown("12. point"), "12\\. point");
  EXPECT_EQ(escape_markdown("    code"), "code");
  EXPECT_EQ(escape_markdown("-0.5"), "-0.5");
}

TEST(Markdown, OrdinaryWordsStay) {
  EXPECT_EQ(escape_markdown("[Brackets]: planners", MarkdownPlace::within), "[Brackets]: planners");
  EXPECT_EQ(escape_markdown("Well! [laughs] It is 5:30."), "Well! [laughs] It is 5:30.");
}

TEST(Markdown, TablesEscapeEveryText) {
  Table t;
  t.title = "a `t`";
  t.columns = {"x|y"};
  t.add({"![i](http://h)\n|"});
  t.notes = {"[n](x)"};
  EXPECT_EQ(t.to_markdown(),
            "### a \\`t\\`\n\n| x\\|y |\n|---|\n| \\!\\[i\\](http\\://h) \\| |\n\n"
            "*\\[n\\](x)*\n\n");
  EXPECT_EQ(
      markdown_of(t, [](const Cell&, std::string s) { return "**" + s + "**"; }).find("| **\\!"),
      t.to_markdown().find("| \\!"));
}

TEST(Table, TextOfACellStaysOnItsLineAndMovesNoCursor) {
  Table t;
  t.columns = {"x"};
  t.add({"a\nb\x1b[2J"});
  EXPECT_EQ(t.to_text(), "x\n-------\na b [2J\n");
}

}  // namespace
}  // namespace straq
