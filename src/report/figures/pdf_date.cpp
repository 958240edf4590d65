#include "report/figures/pdf_date.h"

#include <cctype>

#include "core/error.h"
#include "core/files/files.h"

namespace straq::report {

void forget_pdf_date(const std::string& path) {
  try {
    std::string bytes = read_file(path);
    bool changed = false;
    for (const std::string key : {"/CreationDate (D:", "/ModDate (D:"}) {
      for (std::size_t at = 0; (at = bytes.find(key, at)) != std::string::npos;) {
        at += key.size();
        // Year, month, day, hour, minute, second: the first of January 2000.
        static constexpr char kDate[] = "20000101000000";
        for (std::size_t i = 0; i + 1 < sizeof kDate && at + i < bytes.size(); ++i) {
          if (std::isdigit(static_cast<unsigned char>(bytes[at + i])) == 0) break;
          changed = changed || bytes[at + i] != kDate[i];
          bytes[at + i] = kDate[i];
        }
      }
    }
    if (changed) write_file_atomic(path, bytes);
  } catch (const Error&) {
    // A picture with its date is a picture.
  }
}

}  // namespace straq::report
