// Words as a shell reads them: whatever the program prints to be run again, and what it hands to
// /bin/sh itself.
#pragma once

#include <string>
#include <vector>

namespace straq {

// A word as bash and sh read it back: as it stands where it is plain, else in single quotes, in
// which nothing is special.
std::string shell_quote(const std::string& word);

// A command: its words, quoted, with blanks between them.
std::string shell_join(const std::vector<std::string>& words);

}  // namespace straq
